//! The WIT package `partway:pipe`, as wasmtime sees it. Generated; what of it is public is re-exported by
//! name from the crate's front.

#![allow(missing_docs, reason = "generated from the WIT package, which documents each item")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "export-component",
    with: { "partway:pipe/rows.cursor": crate::context::CursorResource },
    imports: { default: trappable },
});
