//! The exporter and the redactor in one component, which with a policy is one of the world `export-component`. The bytes
//! are those of the two components composed; that rows go from the one to the other as Rust saves copying them.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

partway_rows::runtime!();

type Exporter = partway_format::Exporter<partway_exporter::Formats, partway_redactor::RedactedRows>;

partway_format::export_exporter!(Exporter);
