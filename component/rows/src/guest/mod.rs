//! The interface's bindings, as far as [`Rows`](crate::Rows) needs them. Built for wasm only.

mod convert;
mod host_rows;
mod runtime;
mod transform;

pub use host_rows::HostRows;
pub use transform::Transform;

/// Both sides of the interface, with the same types.
pub mod bindings {
    #![allow(missing_docs, reason = "generated; the WIT package documents each item")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated")]
    wit_bindgen::generate!({
        path: "wit",
        world: "transform",
        merge_structurally_equal_types: true,
        pub_export_macro: true,
        export_macro_name: "export_rows",
        default_bindings_module: "partway_rows::bindings",
    });
}
