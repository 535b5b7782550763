//! An object that is written part by part: in a folder beside its name, which it gets when it is complete.

use preopened::{Place, locate, open, read, stat, write};
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::bindings::exports::partway_example::all_wasi::object::Found;

/// The files in the folder beside it.
const PARTS: &str = "parts";
const NOTE: &str = "checkpoint";
const NEW_NOTE: &str = "checkpoint.new";

/// An object that is not complete yet.
pub struct Object {
    /// The path as the user gave it, for messages.
    name: String,
    place: Place,
    /// The folder `NAME.partial`.
    partial: Descriptor,
    parts: Descriptor,
    part_size: u32,
}

/// A sentence of what failed.
fn failed(what: &str, name: &str) -> impl FnOnce(ErrorCode) -> String {
    let message = format!("{what} {name} failed");
    move |error| format!("{message}: {}", error.message())
}

impl Object {
    /// No object if it is complete.
    pub fn open(name: &str, part_size: u32) -> Result<(Option<Self>, Found), String> {
        let failed = |what| failed(what, name);
        let place = locate(name)?;
        let (folder, path) = place.suffixed(".partial");
        let is_there = |path: &str| stat(folder, path).map_err(failed("looking for"));
        let (exists, has_begun) = (is_there(&place.path)?.is_some(), is_there(&path)?.is_some());
        if exists && !has_begun {
            return Err(format!("{name} exists already"));
        }
        if !has_begun {
            folder.create_directory_at(&path).map_err(failed("making a folder beside"))?;
        }
        let rights = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        let partial = open(folder, &path, OpenFlags::DIRECTORY, rights)
            .map_err(failed("opening the folder beside"))?;
        if exists {
            let object = open(folder, &place.path, OpenFlags::empty(), DescriptorFlags::READ);
            let parts = open(&partial, PARTS, OpenFlags::empty(), DescriptorFlags::READ);
            // Killed between the two last steps of `finish`.
            return match (object, parts) {
                (Ok(object), Ok(parts)) if object.is_same_object(&parts) => {
                    remove(&place, &partial).map_err(failed("cleaning up behind"))?;
                    Ok((None, Found::Finished))
                }
                _ => Err(format!("{name} exists already")),
            };
        }
        let rights = DescriptorFlags::READ | DescriptorFlags::WRITE;
        let parts = open(&partial, PARTS, OpenFlags::CREATE, rights)
            .map_err(failed("making a file for"))?;
        folder_of(&place).and_then(|folder| folder.sync()).map_err(failed("making room for"))?;
        let found = match note(&partial).map_err(failed("reading the checkpoint of"))? {
            None => Found::Nothing,
            Some(note) => Found::Unfinished(note),
        };
        Ok((Some(Self { name: name.to_owned(), place, partial, parts, part_size }), found))
    }

    /// At its own place, so that a part that is written once more changes nothing.
    pub fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), String> {
        let before = number.checked_sub(1).ok_or("parts are numbered from 1")?;
        if bytes.len() > self.part_size as usize {
            return Err(format!("part {number} is larger than a part may be"));
        }
        let offset = u64::from(before) * u64::from(self.part_size);
        write(&self.parts, bytes, offset).map_err(failed("writing", &self.name))
    }

    pub fn save(&mut self, note: &str) -> Result<(), String> {
        let saved = self.parts.sync().and_then(|()| {
            let how = OpenFlags::CREATE | OpenFlags::TRUNCATE;
            let new = open(&self.partial, NEW_NOTE, how, DescriptorFlags::WRITE)?;
            write(&new, note.as_bytes(), 0)?;
            new.sync()?;
            self.partial.rename_at(NEW_NOTE, &self.partial, NOTE)?;
            self.partial.sync()
        });
        saved.map_err(failed("saving the checkpoint of", &self.name))
    }

    pub fn finish(&mut self) -> Result<(), String> {
        let Self { name, place, partial, parts, .. } = self;
        parts.sync().map_err(failed("writing", name))?;
        // A link and no renaming, which would replace a file that was put there meanwhile.
        match partial.link_at(PathFlags::empty(), PARTS, &place.folder, &place.path) {
            Ok(()) => {}
            Err(ErrorCode::Exist) => return Err(format!("{name} exists already")),
            Err(error) => return Err(failed("naming", name)(error)),
        }
        folder_of(place)
            .and_then(|folder| folder.sync())
            .and_then(|()| remove(place, partial))
            .map_err(failed("cleaning up behind", name))
    }
}

/// The folder that a place is in.
fn folder_of(place: &Place) -> Result<Descriptor, ErrorCode> {
    let path = place.path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    open(&place.folder, path, OpenFlags::DIRECTORY, DescriptorFlags::READ)
}

/// Removes what is beside a complete object. The parts last: by them it is known as ours.
fn remove(place: &Place, partial: &Descriptor) -> Result<(), ErrorCode> {
    for file in [NEW_NOTE, NOTE, PARTS] {
        match partial.unlink_file_at(file) {
            Ok(()) | Err(ErrorCode::NoEntry) => {}
            Err(error) => return Err(error),
        }
    }
    let (folder, path) = place.suffixed(".partial");
    folder.remove_directory_at(&path)
}

/// What was saved last.
fn note(partial: &Descriptor) -> Result<Option<String>, ErrorCode> {
    let Some(stat) = stat(partial, NOTE)? else { return Ok(None) };
    let file = open(partial, NOTE, OpenFlags::empty(), DescriptorFlags::READ)?;
    let mut bytes = vec![0; stat.size as usize];
    let length = read(&file, &mut bytes, 0)?;
    bytes.truncate(length);
    String::from_utf8(bytes).map(Some).map_err(|_| ErrorCode::IllegalByteSequence)
}
