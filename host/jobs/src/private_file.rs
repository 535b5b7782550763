//! New files that only their owner may use, whatever the umask.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates an empty file. Fails with [`io::ErrorKind::AlreadyExists`], without opening it, if there is one.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut new = OpenOptions::new();
    new.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    new.open(path)
}
