//! The files of WASI as a file system of SQLite that is only read.

use preopened::{locate, open, stat};
use sqlite_wasm_rs::WasmOsCallback;
use sqlite_wasm_rs::vfs::{
    AccessMode, FileKind, OpenAccess, OpenOptions, OpenRequest, OpenedFile, SQLiteIoMethods,
    SQLiteVfs, VfsError, VfsErrorCode, VfsResult, VfsStore, register_vfs,
};
use wasip2::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags};

use crate::file::ReadOnlyFile;

/// The name by which a connection asks for it.
pub const NAME: &str = "wasi";

/// Makes it known to SQLite. Once.
pub fn register() -> Result<(), String> {
    // SAFETY: the version, methods and layout are the crate's own, the name is used once, and there is one thread.
    let registered = unsafe { register_vfs::<Vfs, Vfs>(NAME, WasmOsCallback, false) };
    registered.map(|registration| _ = registration.into_raw()).map_err(|error| error.to_string())
}

struct Vfs;

impl SQLiteIoMethods for Vfs {
    type Store = Self;
}

impl SQLiteVfs<Self> for Vfs {
    type Os = WasmOsCallback;

    fn os(data: &WasmOsCallback) -> &WasmOsCallback {
        data
    }
}

fn error(code: VfsErrorCode, text: &'static str) -> VfsError {
    VfsError::new(code, text.into())
}

impl VfsStore for Vfs {
    type File = ReadOnlyFile;
    type AppData = WasmOsCallback;

    fn open_file(
        _: &WasmOsCallback,
        request: OpenRequest<'_>,
    ) -> VfsResult<OpenedFile<Self::File>> {
        let refused = || error(VfsErrorCode::CantOpen, "the file can't be opened");
        let path = request.filename.ok_or_else(refused)?.path();
        let place = locate(path).map_err(|_| refused())?;
        let opened = open(&place.folder, &place.path, OpenFlags::empty(), DescriptorFlags::READ);
        let file = match opened {
            Ok(descriptor) => ReadOnlyFile::new(Some(descriptor)),
            // SQLite would make it.
            Err(ErrorCode::NoEntry) if request.options.kind() == Some(FileKind::Wal) => {
                ReadOnlyFile::new(None)
            }
            Err(_) => return Err(refused()),
        };
        Ok(OpenedFile { file, access: OpenAccess::ReadOnly })
    }

    fn close_file(
        _: &WasmOsCallback,
        _: Option<&str>,
        _: ReadOnlyFile,
        _: OpenOptions,
    ) -> VfsResult<()> {
        Ok(())
    }

    fn access(_: &WasmOsCallback, path: &str, mode: AccessMode) -> VfsResult<bool> {
        let failed = || error(VfsErrorCode::IoAccess, "the file can't be looked for");
        let place = locate(path).map_err(|_| failed())?;
        let found = stat(&place.folder, &place.path).map_err(|_| failed())?;
        Ok(found.is_some() && !matches!(mode, AccessMode::ReadWrite))
    }

    fn full_pathname(_: &WasmOsCallback, path: &str) -> VfsResult<String> {
        Ok(path.to_owned())
    }

    fn delete_file(_: &WasmOsCallback, _: &str, _: bool) -> VfsResult<()> {
        Err(error(VfsErrorCode::ReadOnly, "the database is only read"))
    }
}

/// What SQLite asks of the machine. To read a database it needs none of it, so this component imports no clock and no
/// random numbers.
mod machine {
    use sqlite_wasm_rs::host::{Error, LocalTime};

    #[unsafe(no_mangle)]
    extern "C" fn rust_sqlite_wasm_host_sleep(_seconds: u64, _nanoseconds: u32) {}

    #[unsafe(no_mangle)]
    extern "C" fn rust_sqlite_wasm_host_random(_to: *mut u8, _length: usize) -> usize {
        0
    }

    #[unsafe(no_mangle)]
    extern "C" fn rust_sqlite_wasm_host_epoch_timestamp_in_ms(_to: *mut i64) -> i32 {
        Error::Unsupported as i32
    }

    #[unsafe(no_mangle)]
    extern "C" fn rust_sqlite_wasm_host_fill_entropy(_to: *mut u8, _length: usize) -> i32 {
        Error::Unsupported as i32
    }

    #[unsafe(no_mangle)]
    extern "C" fn rust_sqlite_wasm_host_localtime(_seconds: i64, _to: *mut LocalTime) -> i32 {
        Error::Unsupported as i32
    }
}
