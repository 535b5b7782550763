//! The component that writes Parquet files, of the world `export-component-with-contents`: over the host's rows.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

partway_rows::runtime!();

type Exporter = partway_format::Exporter<partway_parquet::Parquet, partway_rows::HostRows>;

partway_format::export_exporter!(Exporter);
