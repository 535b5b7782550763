//! The export component, of the world `export-component-with-contents`: the exporter over the host's rows.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

partway_rows::runtime!();

type Exporter = partway_format::Exporter<partway_exporter::Formats, partway_rows::HostRows>;

partway_format::export_exporter!(Exporter);
