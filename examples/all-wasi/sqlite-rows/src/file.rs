//! A file as SQLite reads it. It can't be written to.

use std::ops::Range;

use sqlite_wasm_rs::vfs::{LockLevel, SyncOptions, VfsError, VfsErrorCode, VfsFile, VfsResult};
use wasip2::filesystem::types::Descriptor;

/// So much is read at once: a page is small, and each call leaves the component.
const BLOCK: u64 = 64 * 1024;

pub struct ReadOnlyFile {
    /// None: an empty file, as good as one that does not exist.
    descriptor: Option<Descriptor>,
    /// The bytes of the file from `offset` on.
    block: Vec<u8>,
    offset: u64,
}

impl ReadOnlyFile {
    pub fn new(descriptor: Option<Descriptor>) -> Self {
        Self { descriptor, block: Vec::new(), offset: 0 }
    }

    /// Where in the block an offset is; empty: it is behind the end of the file.
    fn range(&mut self, offset: u64, length: usize) -> VfsResult<Range<usize>> {
        let is_inside =
            offset.checked_sub(self.offset).is_some_and(|at| at < self.block.len() as u64);
        if !is_inside {
            self.offset = offset - offset % BLOCK;
            self.block.resize(BLOCK as usize, 0);
            let read = match &self.descriptor {
                None => 0,
                Some(descriptor) => preopened::read(descriptor, &mut self.block, self.offset)
                    .map_err(|_| VfsError::new(VfsErrorCode::IoRead, "reading failed".into()))?,
            };
            self.block.truncate(read);
        }
        let begin = ((offset - self.offset) as usize).min(self.block.len());
        Ok(begin..(begin + length).min(self.block.len()))
    }
}

fn read_only() -> VfsError {
    VfsError::new(VfsErrorCode::ReadOnly, "the database is only read".into())
}

impl VfsFile for ReadOnlyFile {
    fn read(&mut self, to: &mut [u8], offset: u64) -> VfsResult<usize> {
        let mut done = 0;
        while done < to.len() {
            let range = self.range(offset + done as u64, to.len() - done)?;
            if range.is_empty() {
                break;
            }
            let bytes = &self.block[range];
            to[done..done + bytes.len()].copy_from_slice(bytes);
            done += bytes.len();
        }
        Ok(done)
    }

    fn size(&self) -> VfsResult<u64> {
        let Some(descriptor) = &self.descriptor else { return Ok(0) };
        let failed = |_| VfsError::new(VfsErrorCode::IoStat, "the file can't be looked at".into());
        descriptor.stat().map(|stat| stat.size).map_err(failed)
    }

    fn write(&mut self, _bytes: &[u8], _offset: u64) -> VfsResult<()> {
        Err(read_only())
    }

    fn truncate(&mut self, _size: u64) -> VfsResult<()> {
        Err(read_only())
    }

    fn sync(&mut self, _options: SyncOptions) -> VfsResult<()> {
        Ok(())
    }

    // WASI has no locks. That nobody writes meanwhile is seen by `database.state`.
    fn lock(&mut self, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn unlock(&mut self, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn check_reserved_lock(&self) -> VfsResult<bool> {
        Ok(false)
    }
}
