//! The names of a folder's files: hidden names, the object's own name, the next free name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::names::numbered_name;
use crate::store::ObjectVersion;

/// A hidden file is `.NAME.xxxxxx` with this ending.
const ENDING: &str = ".partway";

/// The random letters and digits before it.
const RANDOM: usize = 6;

/// Makes a hidden file for an object, and gives its name.
pub(super) fn new_hidden(folder: &Path, object: &str) -> io::Result<String> {
    let prefix = format!(".{object}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).rand_bytes(RANDOM).suffix(ENDING);
    // As any file that this user makes: a temporary one would be for its owner alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The error's path names the folder twice over; its cause is enough.
    let file = builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))?;
    let (_, path) = file.keep().map_err(|error| error.error)?;
    Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// The object's name in that of a hidden file; none where it is another file's.
pub(super) fn object_name(hidden: &str) -> Option<&str> {
    let (name, random) = hidden.strip_prefix('.')?.strip_suffix(ENDING)?.rsplit_once('.')?;
    let is_ours = random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_ours && !name.is_empty()).then_some(name)
}

/// Gives a hidden file its name, or the next that is free.
pub(super) fn publish(hidden: &Path, folder: &Path, name: &str) -> io::Result<String> {
    let mut number = 1;
    loop {
        let free = numbered_name(name, number);
        let path = folder.join(&free);
        match fs::hard_link(hidden, &path) {
            Ok(()) => return Ok(free),
            // A call that was dropped may still be at it, on its thread.
            Err(_) if is_same_file(hidden, &path) => return Ok(free),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            // A file system without links: between this check and the rename another may take the name.
            Err(_) if !path.exists() => {
                fs::rename(hidden, &path)?;
                return Ok(free);
            }
            Err(_) => number += 1,
        }
    }
}

/// What tells a file from others in its folder, under whatever name: its inode number and the time it was made; none where
/// the system has no such number.
pub(super) fn identity(meta: &fs::Metadata) -> Option<String> {
    #[cfg(unix)]
    {
        let number = std::os::unix::fs::MetadataExt::ino(meta);
        // Numbers are used again; together with that time, where the system keeps it, they tell.
        let made = meta.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        Some(match made {
            Some(made) => format!("{number}@{}", made.as_nanos()),
            None => number.to_string(),
        })
    }
    #[cfg(not(unix))]
    {
        let _ = meta;
        None
    }
}

/// What tells the present content of a file from any other that its name has, had or will have: the file's identity,
/// its length, and when it was last written to. A link, a rename and other rights do not change it.
pub(super) fn version(meta: &fs::Metadata) -> ObjectVersion {
    let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default().as_nanos();
    format!("{}:{}:{modified}", identity(meta).unwrap_or_default(), meta.len())
}

/// Whether two names are of one file; never where the system does not tell.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).ok().as_ref().and_then(identity);
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// The name of a file in a folder, other than one that it is known to have.
pub(super) fn find(
    folder: &Path,
    wanted: &str,
    except: Option<&OsStr>,
) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if Some(name.as_os_str()) == except {
            continue;
        }
        // A file that has gone meanwhile is not the one.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() && identity(&meta).as_deref() == Some(wanted) {
            return Ok(name.into_string().ok());
        }
    }
    Ok(None)
}

/// Makes new and changed names in a folder safe; only Unix lets a folder be opened for that.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
