//! Files in the folders that a WASI program may use, by their paths.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, ErrorCode, OpenFlags, PathFlags,
};

/// A place in a preopened folder. Whether there is a file is another question.
pub struct Place {
    pub folder: Descriptor,
    pub path: String,
}

/// The place that a path means: in the preopened folder with the longest name that it begins with.
///
/// # Errors
///
/// A sentence for people, if it is in none of them.
pub fn locate(path: &str) -> Result<Place, String> {
    let rest = |folder: &str| {
        // `--dir .` preopens a folder named `.`, to which paths are relative.
        let rest = match folder {
            "." => path,
            folder => path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')?,
        };
        Some(rest.to_owned()).filter(|rest| !rest.is_empty() && !rest.starts_with('/'))
    };
    get_directories()
        .into_iter()
        .filter_map(|(folder, name)| Some((Place { folder, path: rest(&name)? }, name.len())))
        .max_by_key(|(_, length)| *length)
        .map(|(place, _)| place)
        .ok_or_else(|| {
            format!("{path} is in no folder that this program may use: wasmtime run --dir FOLDER")
        })
}

impl Place {
    /// The place whose path has this at its end.
    pub fn suffixed(&self, suffix: &str) -> (&Descriptor, String) {
        (&self.folder, format!("{}{suffix}", self.path))
    }
}

/// Opens a file, through symbolic links.
///
/// # Errors
///
/// The system's.
pub fn open(
    folder: &Descriptor,
    path: &str,
    how: OpenFlags,
    rights: DescriptorFlags,
) -> Result<Descriptor, ErrorCode> {
    folder.open_at(PathFlags::SYMLINK_FOLLOW, path, how, rights)
}

/// What is there; none: nothing.
///
/// # Errors
///
/// The system's.
pub fn stat(folder: &Descriptor, path: &str) -> Result<Option<DescriptorStat>, ErrorCode> {
    match folder.stat_at(PathFlags::SYMLINK_FOLLOW, path) {
        Ok(stat) => Ok(Some(stat)),
        Err(ErrorCode::NoEntry) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads until the buffer is full or the file ends; how much.
///
/// # Errors
///
/// The system's.
pub fn read(file: &Descriptor, to: &mut [u8], offset: u64) -> Result<usize, ErrorCode> {
    let mut length = 0;
    while length < to.len() {
        let (bytes, ends) = file.read((to.len() - length) as u64, offset + length as u64)?;
        to[length..length + bytes.len()].copy_from_slice(&bytes);
        length += bytes.len();
        if ends || bytes.is_empty() {
            break;
        }
    }
    Ok(length)
}

/// Writes all bytes.
///
/// # Errors
///
/// The system's.
pub fn write(file: &Descriptor, mut bytes: &[u8], mut offset: u64) -> Result<(), ErrorCode> {
    while !bytes.is_empty() {
        let written = file.write(bytes, offset)?;
        offset += written;
        bytes = &bytes[written as usize..];
    }
    Ok(())
}
