//! The ground truth about a store: what is really in it, whatever the hosts have heard.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use partway_manifest::{MANIFEST_SUFFIX, ManifestSet};

use super::bucket::{Bucket, Object};
use super::gate::Late;
use super::plan::StoreKind;
use super::tally::Met;
use super::world::{Actor, World};

/// Two tables, and their manifest.
pub const OBJECTS_OF_SET: usize = 3;

/// A store's contents, and what is known of how they came about.
#[derive(Debug)]
pub struct Ground {
    pub kind: StoreKind,
    pub folder: PathBuf,
    /// What a dump may look like: of the database as it was at first, and as it has become.
    pub dumps: Vec<Vec<u8>>,
    bucket: Mutex<Bucket>,
    /// Requests that are still on their way.
    late: Mutex<Vec<Late>>,
    marks: Mutex<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    /// Every upload that there ever was, by its number.
    uploads: Vec<String>,
    /// When it was last written to, by the wall clock.
    touched: HashMap<String, i64>,
    /// What was written: upload, part, id of the part, by whom, and whether they settled it since.
    part_ids: HashMap<(String, u32, String), HashMap<Actor, bool>>,
    /// Uploads that somebody has tried to throw away.
    asked: HashSet<String>,
    foreign: BTreeMap<String, (Vec<u8>, u64)>,
    /// The names of objects that came about after their hosts had given them up.
    late: BTreeSet<String>,
    /// The names of objects, as last seen.
    objects: BTreeSet<String>,
    moments: u64,
    jobs: usize,
}

impl Ground {
    pub fn new(kind: StoreKind, folder: &Path, dumps: Vec<Vec<u8>>) -> Self {
        let (bucket, late, marks) = Default::default();
        Self { kind, folder: folder.to_owned(), dumps, bucket, late, marks }
    }

    pub fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().expect("no panic under the lock")
    }

    fn late(&self) -> MutexGuard<'_, Vec<Late>> {
        self.late.lock().expect("no panic under the lock")
    }

    pub fn send_late(&self, request: Option<Late>) {
        self.late().extend(request);
    }

    pub fn is_anything_late(&self) -> bool {
        !self.late().is_empty()
    }

    /// A late request arrives.
    pub fn arrive(&self, world: &World, number: u64) {
        let request = {
            let mut late = self.late();
            let number = number as usize % late.len();
            late.remove(number)
        };
        request.arrive(world, self);
        world.met(Met::ArrivedLate);
        self.look_over(world);
    }

    pub fn completed_late(&self, name: &str) {
        self.marks().late.insert(name.to_owned());
    }

    /// Whether an object of this name came about after its host had given it up.
    pub fn is_late(&self, name: &str) -> bool {
        self.marks().late.contains(name)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().expect("no panic under the lock")
    }

    /// A short name for an upload, the same in every run.
    pub fn short(&self, id: &str) -> String {
        let mut marks = self.marks();
        let known = marks.uploads.iter().position(|known| known == id);
        let number = known.unwrap_or_else(|| {
            marks.uploads.push(id.to_owned());
            marks.uploads.len() - 1
        });
        format!("u{number:03}")
    }

    /// The text without what differs from run to run.
    pub fn without_folder(&self, text: &str) -> String {
        text.replace(&self.folder.display().to_string(), "FOLDER")
    }

    /// The ids of uploads that are not finished.
    pub fn uploads(&self) -> Vec<String> {
        match self.kind {
            StoreKind::Bucket => self.bucket().uploads.keys().cloned().collect(),
            StoreKind::Folder => {
                self.names().into_iter().filter(|name| name.starts_with('.')).collect()
            }
        }
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.folder).expect("the folder can be read");
        entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect()
    }

    /// The objects that are ours.
    pub fn objects(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = match self.kind {
            StoreKind::Bucket => self.bucket().objects.keys().cloned().collect(),
            StoreKind::Folder => {
                self.names().into_iter().filter(|name| !name.starts_with('.')).collect()
            }
        };
        for foreign in self.marks().foreign.keys() {
            names.remove(foreign);
        }
        names
    }

    /// An object's bytes.
    pub fn object(&self, name: &str) -> Option<Vec<u8>> {
        match self.kind {
            StoreKind::Bucket => self.bucket().objects.get(name).map(|object| object.bytes.clone()),
            StoreKind::Folder => fs::read(self.folder.join(name)).ok(),
        }
    }

    /// What an upload holds in so many bytes and parts from its beginning; none where there is no such upload.
    pub fn written_bytes(&self, id: &str, parts: u32, length: u64) -> Option<Vec<u8>> {
        match self.kind {
            StoreKind::Bucket => {
                let bucket = self.bucket();
                let parts = bucket.uploads.get(id)?.parts.range(..=parts);
                Some(parts.flat_map(|(_, (_, bytes))| bytes.to_vec()).collect())
            }
            StoreKind::Folder => {
                let mut bytes = fs::read(self.folder.join(id)).ok()?;
                bytes.truncate(length as usize);
                Some(bytes)
            }
        }
    }

    /// Takes an upload away, as one that has expired.
    pub fn vanish(&self, id: &str) {
        match self.kind {
            StoreKind::Bucket => drop(self.bucket().uploads.remove(id)),
            StoreKind::Folder => drop(fs::remove_file(self.folder.join(id))),
        }
    }

    /// Somebody else's object takes a name, if it is free.
    pub fn place_foreign(&self, name: &str, bytes: Vec<u8>) -> bool {
        match self.kind {
            StoreKind::Bucket => {
                let mut bucket = self.bucket();
                if bucket.objects.contains_key(name) {
                    return false;
                }
                let object = Object { bytes: bytes.clone(), e_tag: "whole".to_owned() };
                bucket.objects.insert(name.to_owned(), object);
            }
            StoreKind::Folder => {
                let path = self.folder.join(name);
                if path.exists() {
                    return false;
                }
                fs::write(path, &bytes).expect("a foreign object");
            }
        }
        let at = self.moment();
        self.marks().foreign.insert(name.to_owned(), (bytes, at));
        true
    }

    /// A number that grows with each asking.
    pub fn moment(&self) -> u64 {
        let mut marks = self.marks();
        marks.moments += 1;
        marks.moments
    }

    /// An upload became an object of the bucket; its client had last looked then.
    pub fn completed(&self, world: &World, name: &str, looked: u64) {
        let mut marks = self.marks();
        match marks.foreign.get(name) {
            // S3 writes over what came between look and completion; that moment is left to others.
            Some((_, at)) if *at > looked => drop(marks.foreign.remove(name)),
            Some(_) => world.violation(format!("somebody else's {name} was written over")),
            None => {}
        }
    }

    pub fn set_jobs(&self, jobs: usize) {
        self.marks().jobs = jobs;
    }

    pub fn touched(&self, id: &str, at: i64) {
        self.marks().touched.insert(id.to_owned(), at);
    }

    pub fn changed_at(&self, id: &str) -> i64 {
        self.marks().touched.get(id).copied().unwrap_or_default()
    }

    /// When anything was last written, by the wall clock.
    pub fn last_touched(&self) -> i64 {
        let begun = self.bucket().uploads.values().map(|begun| begun.at).max();
        self.marks().touched.values().copied().max().max(begun).unwrap_or_default()
    }

    pub fn written(&self, actor: Actor, id: &str, number: u32, part_id: &str) {
        let key = (id.to_owned(), number, part_id.to_owned());
        self.marks().part_ids.entry(key).or_default().insert(actor, false);
    }

    pub fn settled(&self, actor: Actor, id: &str) {
        for ((upload, ..), writers) in &mut self.marks().part_ids {
            if let Some(is_settled) = writers.get_mut(&actor).filter(|_| upload == id) {
                *is_settled = true;
            }
        }
    }

    /// Whether this id was given to the part, and its bytes were made safe since.
    pub fn is_settled(&self, id: &str, number: u32, part_id: &str) -> bool {
        let key = (id.to_owned(), number, part_id.to_owned());
        self.marks().part_ids.get(&key).is_some_and(|writers| writers.values().any(|safe| *safe))
    }

    pub fn abort_asked(&self, id: &str) {
        self.marks().asked.insert(id.to_owned());
    }

    /// Whether somebody has tried to throw an upload away.
    pub fn was_abort_asked(&self, id: &str) -> bool {
        self.marks().asked.contains(id)
    }

    /// Looks whether what is in the store may be there. After every effect.
    pub fn look_over(&self, world: &World) {
        for id in self.uploads() {
            self.short(&id);
            let wall = world.lock().wall;
            self.marks().touched.entry(id).or_insert(wall);
        }
        let objects = self.objects();
        let new: Vec<String> = {
            let mut marks = self.marks();
            let new = objects.difference(&marks.objects).cloned().collect();
            marks.objects.clone_from(&objects);
            new
        };
        for name in new {
            world.trace(format!("object {name}"));
            let is_manifest = world.plan.each_table && name.ends_with(MANIFEST_SUFFIX);
            let is_whole = |bytes: Vec<u8>| match is_manifest {
                true => ManifestSet::from_json(&bytes).is_ok(),
                false => self.dumps.contains(&bytes),
            };
            if !self.object(&name).is_some_and(is_whole) {
                world.violation(format!("the object {name} is none of the dumps"));
            }
        }
        let (jobs, foreign) = {
            let marks = self.marks();
            (marks.jobs, marks.foreign.clone())
        };
        // Each is whole, but a job may have given one up that came about after all.
        let (is_set, most) = match world.plan.each_table {
            true => (true, (OBJECTS_OF_SET - 1) * jobs),
            false => (false, jobs),
        };
        // Two hosts may write the manifest of one set; the second takes its own back.
        let counts =
            |name: &&String| !(self.is_late(name) || is_set && name.ends_with(MANIFEST_SUFFIX));
        if objects.iter().filter(counts).count() > most {
            world.violation(format!("{} objects of {jobs} jobs: {objects:?}", objects.len()));
        }
        for (name, (bytes, _)) in foreign {
            if self.object(&name).as_ref() != Some(&bytes) {
                world.violation(format!("somebody else's {name} has changed"));
            }
        }
    }
}
