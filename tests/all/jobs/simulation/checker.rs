//! What must be true of the saved jobs, looked at after every commit by a connection of its own.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use partway_jobs::{JobState, Totals};
use rusqlite::{Connection, OpenFlags};

use super::ground::Ground;
use super::tally::Met;
use super::world::{Actor, World};

/// A saved job.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    pub state: String,
    pub object: Option<String>,
    pub upload: Option<String>,
    /// Those of objects of the same job whose slices are done.
    pub ended_uploads: Vec<String>,
    pub checkpoint: Option<String>,
    /// Of the object that it is at.
    pub totals: Totals,
    pub starts: u32,
    pub wake_at: Option<i64>,
    pub token: i64,
    pub owner: Option<String>,
    pub cancel_requested: bool,
    pub is_finished: bool,
    pub last_error: Option<String>,
    pub sha256: Option<String>,
}

/// Watches the file of jobs.
pub struct Checker {
    connection: Mutex<Connection>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    order: Vec<String>,
    jobs: BTreeMap<String, Saved>,
    /// Who claimed a job with which token.
    holders: HashMap<(String, i64), Actor>,
    /// Jobs and the uploads that were saved with them.
    uploads: Vec<(String, String)>,
}

impl std::fmt::Debug for Checker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checker")
    }
}

impl Checker {
    pub fn new(file: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.execute_batch("PRAGMA query_only=ON")?;
        Ok(Self { connection: Mutex::new(connection), seen: Mutex::default() })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic under the lock")
    }

    /// The jobs, as they were after the last commit, in the order in which they came.
    pub fn jobs(&self) -> Vec<(String, Saved)> {
        let seen = self.seen();
        seen.order.iter().filter_map(|id| Some((id.clone(), seen.jobs.get(id)?.clone()))).collect()
    }

    /// The uploads that a job was saved with, one behind the other.
    pub fn uploads(&self, job: &str) -> Vec<String> {
        let seen = self.seen();
        let own = seen.uploads.iter().filter(|(of, _)| of == job);
        own.map(|(_, upload)| upload.clone()).collect()
    }

    /// Whether an unfinished job has this upload.
    pub fn is_owned(&self, upload: &str) -> bool {
        let seen = self.seen();
        seen.jobs.values().filter(|job| !job.is_finished).any(|job| {
            job.upload.as_deref() == Some(upload) || job.ended_uploads.iter().any(|id| id == upload)
        })
    }

    fn load(&self) -> rusqlite::Result<Vec<(String, Saved)>> {
        let connection = self.connection.lock().expect("no panic under the lock");
        let mut statement =
            connection.prepare_cached(
                "SELECT *, (SELECT group_concat(ended ->> '$.upload.id') FROM export_objects WHERE job = id) AS ended_uploads \
                 FROM export_jobs ORDER BY rowid",
            )?;
        let saved = statement.query_map([], |row| {
            let of_object: Option<String> = row.get("object_totals")?;
            let totals = of_object.map_or_else(|| row.get("totals"), |totals| Ok(Some(totals)))?;
            let ended: Option<String> = row.get("ended_uploads")?;
            let ended = ended.as_deref().unwrap_or_default().split(',');
            let totals = totals.map(|text| serde_json::from_str(&text).expect("totals in JSON"));
            let saved = Saved {
                state: row.get("state")?,
                object: row.get("object")?,
                upload: row.get("upload_id")?,
                ended_uploads: ended.filter(|id| !id.is_empty()).map(str::to_owned).collect(),
                checkpoint: row.get("checkpoint")?,
                totals: totals.unwrap_or_default(),
                starts: row.get("starts")?,
                wake_at: row.get("wake_at")?,
                token: row.get("lease_token")?,
                owner: row.get("lease_owner")?,
                cancel_requested: row.get("cancel_requested")?,
                is_finished: row.get::<_, Option<i64>>("finished_at")?.is_some(),
                last_error: row.get("last_error")?,
                sha256: row.get("sha256")?,
            };
            Ok((row.get("id")?, saved))
        })?;
        saved.collect()
    }

    fn part_ids(&self, job: &str) -> rusqlite::Result<Vec<(u32, String)>> {
        let connection = self.connection.lock().expect("no panic under the lock");
        let sql = "SELECT number, part_id FROM export_parts WHERE job = ?1 ORDER BY number";
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_map([job], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// Compares what is saved now with what was saved before.
    pub fn committed(&self, world: &World, ground: &Ground, actor: Actor) {
        for (id, now) in self.load().expect("the jobs can be read") {
            let (number, before) = {
                let mut seen = self.seen();
                if !seen.order.contains(&id) {
                    seen.order.push(id.clone());
                }
                let number = seen.order.iter().position(|one| *one == id).unwrap_or_default();
                let before = seen.jobs.insert(id.clone(), now.clone());
                if let Some(upload) = &now.upload
                    && before.as_ref().and_then(|before| before.upload.as_ref()) != Some(upload)
                {
                    seen.uploads.push((id.clone(), upload.clone()));
                }
                (number, before)
            };
            if before.as_ref() == Some(&now) {
                continue;
            }
            let upload = now.upload.as_deref().map(|id| ground.short(id)).unwrap_or_default();
            world.trace(format!(
                "h{}.{} saved j{number} {} {upload} slices {} parts {} starts {} token {}{}",
                actor.host,
                actor.life,
                now.state,
                now.totals.slices,
                now.totals.parts,
                now.starts,
                now.token,
                if now.owner.is_some() { " held" } else { "" },
            ));
            if let Some(before) = before {
                self.fenced(world, actor, &id, &before, &now);
            }
            self.safe(world, ground, &id, &now);
        }
    }

    /// Only who has claimed a job moves it, by one slice at a time.
    fn fenced(&self, world: &World, actor: Actor, id: &str, before: &Saved, now: &Saved) {
        let progress = |job: &Saved| {
            (
                job.state.clone(),
                job.object.clone(),
                job.upload.clone(),
                job.checkpoint.clone(),
                job.totals.parts,
                job.totals.slices,
                job.sha256.clone(),
            )
        };
        let has_moved = progress(before) != progress(now);
        if now.token == before.token + 1 {
            let mut seen = self.seen();
            let last = seen.holders.insert((id.to_owned(), now.token), actor);
            let previous = seen.holders.get(&(id.to_owned(), before.token)).copied();
            drop(seen);
            if let Some(previous) = previous.filter(|one| *one != actor && before.owner.is_some()) {
                let is_alive = world.is_alive(previous);
                world.met(if is_alive { Met::TakenFromTheLiving } else { Met::TakenFromTheDead });
            }
            if has_moved || last.is_some() {
                world.violation(format!("claiming has changed more than the lease: {now:?}"));
            }
            return;
        }
        let holder = self.seen().holders.get(&(id.to_owned(), now.token)).copied();
        if has_moved && holder != Some(actor) {
            world.violation(format!(
                "{actor:?} has moved a job of {holder:?}: {before:?} -> {now:?}"
            ));
        }
        if before.is_finished && has_moved {
            world.violation(format!("a finished job has moved: {before:?} -> {now:?}"));
        }
        let (old, new) = (&before.totals, &now.totals);
        let is_same_start = before.upload.is_some()
            && before.upload == now.upload
            && now.state != JobState::Waiting.as_str();
        let steps = new.slices.wrapping_sub(old.slices);
        if is_same_start && (steps > 1 || (steps == 0) != (old.parts == new.parts)) {
            world.violation(format!("not one slice further: {old:?} -> {new:?}"));
        }
    }

    /// Every part that counts is in the store, byte for byte.
    fn safe(&self, world: &World, ground: &Ground, id: &str, now: &Saved) {
        let part_ids = self.part_ids(id).expect("the part_ids can be read");
        let Some(upload) = now.upload.as_deref().filter(|_| !now.is_finished) else {
            if !part_ids.is_empty() {
                world.violation(format!("part_ids without an upload: {now:?}"));
            }
            return;
        };
        let numbers: Vec<u32> = part_ids.iter().map(|(number, _)| *number).collect();
        if !numbers.iter().copied().eq(1..=now.totals.parts) {
            world.violation(format!("part_ids of the parts {numbers:?}: {now:?}"));
        }
        for (number, part_id) in &part_ids {
            if !ground.is_settled(upload, *number, part_id) {
                world.violation(format!("part {number} has an id, and its bytes are not safe"));
            }
        }
        let bytes = now.totals.bytes;
        if let Some(written) = ground.written_bytes(upload, now.totals.parts, bytes)
            && !ground.dumps.iter().any(|dump| dump.get(..bytes as usize) == Some(&written[..]))
        {
            world.violation(format!("other bytes are in the store than were saved: {now:?}"));
        }
    }
}
