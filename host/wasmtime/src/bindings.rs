//! The types of the WIT package `partway:pipe`, as wasmtime sees them: generated from `wit/`, where each item is
//! documented.
//!
//! These types and the trait `Cursor` depend on each other: the generated code has to know the
//! resource for a cursor, and a cursor returns batches, which are generated.

#![allow(missing_docs, reason = "generated from the WIT package, which documents each item")]

mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "export-component",
        with: { "partway:pipe/rows.cursor": crate::cursor_resource::CursorResource },
        imports: { default: trappable },
    });
}

pub use generated::exports::partway::pipe::exporter;
pub use generated::partway::pipe::{parts, rows};

pub use crate::instance::ExportComponent;

/// The world `import-component`.
pub(crate) mod import {
    wasmtime::component::bindgen!({ path: "wit", world: "import-component" });

    pub use exports::partway::pipe::importer;

    pub(crate) use {ImportComponent as Generated, ImportComponentPre as GeneratedPre};
}

/// The world `codec-component`.
pub(crate) mod codec {
    wasmtime::component::bindgen!({ path: "wit", world: "codec-component" });

    pub use exports::partway::pipe::codec;

    pub(crate) use {CodecComponent as Generated, CodecComponentPre as GeneratedPre};
}

/// Checks, before anything runs, that a component exports what the world says.
pub(crate) use generated::ExportComponentPre as CheckedExports;
