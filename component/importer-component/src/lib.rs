//! The import component, of the world `import-component`: the WIT package's interface `importer` as calls of
//! `check` and `split` of `partway-importer`.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

use alloc::format;
use alloc::vec::Vec;

use bindings::exports::partway::pipe::importer;
use partway_importer::{CHECK_BYTES, CheckError, DumpFormatError, StatementKind, Target};

mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT package documents each item")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "import-component",
    });
    use super::Importer;
    export!(Importer);
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a fault of this component: trap, and let the host name it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Importer;

impl importer::Guest for Importer {
    fn check_bytes() -> u32 {
        CHECK_BYTES as u32
    }

    fn check(head: Vec<u8>, tail: Vec<u8>) -> Result<importer::Dump, importer::Error> {
        let dump = partway_importer::check(&head, &tail)?;
        let target = match dump.target {
            Target::Sqlite => importer::Target::Sqlite,
            Target::D1 => importer::Target::D1,
        };
        let (tables, rows, damaged) = (dump.tables, dump.rows, dump.damaged);
        Ok(importer::Dump { target, tables, rows, damaged })
    }

    fn split(bytes: Vec<u8>, limit: u32) -> importer::Statements {
        let found = partway_importer::split(&bytes, limit);
        // Offsets into memory of 32 bits.
        let statements = found.statements.iter().map(|one| importer::Statement {
            start: one.start as u32,
            end: one.end as u32,
            kind: one.kind.into(),
            rows: one.rows,
        });
        importer::Statements { statements: statements.collect(), used: found.used as u32 }
    }
}

impl From<CheckError> for importer::Error {
    fn from(error: CheckError) -> Self {
        let text = format!("it {error}");
        match error {
            CheckError::Format(DumpFormatError::Empty | DumpFormatError::NotADump) => {
                Self::NotADump(text)
            }
            CheckError::Format(DumpFormatError::NewerVersion(_)) => Self::NewerFormat(text),
            CheckError::CutOff => Self::CutOff(text),
        }
    }
}

impl From<StatementKind> for importer::StatementKind {
    fn from(kind: StatementKind) -> Self {
        match kind {
            StatementKind::Setting => Self::Setting,
            StatementKind::Table => Self::Table,
            StatementKind::Rows => Self::Rows,
            StatementKind::Other => Self::Other,
        }
    }
}
