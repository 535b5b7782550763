//! Partway's components, built: WebAssembly as bytes.
//!
//! A published package holds them. In the repository its build script makes them, which takes a toolchain for
//! `wasm32-unknown-unknown` (`cargo xtask setup` installs one).

/// The export component: the world `partway:pipe/export-component@0.1.0`, writing SQL dumps. It imports the interfaces
/// `rows`, `parts` and `pacing`, and nothing else.
///
/// Empty under clippy and on docs.rs, where nothing runs it.
pub const EXPORTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exporter.wasm"));

/// The import component: the world `partway:pipe/import-component@0.1.0`, which checks dumps and splits them into
/// statements. It has no imports at all.
///
/// Empty under clippy and on docs.rs, where nothing runs it.
pub const IMPORTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/importer.wasm"));

/// The Parquet component: the world `partway:pipe/export-component@0.1.0` too, writing a table as a Parquet file.
///
/// Empty under clippy and on docs.rs, where nothing runs it.
pub const PARQUET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parquet.wasm"));

/// The redactor: it imports `partway:pipe/rows@0.1.0` and a policy, `partway:redactor/policy@0.1.0`, and exports
/// `partway:pipe/rows@0.1.0`. `partway-redact` makes a component of the world `transform` of it.
///
/// Empty under clippy and on docs.rs, where nothing runs it.
pub const REDACTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/redactor.wasm"));

/// [`EXPORTER`] with [`REDACTOR`] inside: it imports the interfaces of an export component and a policy,
/// `partway:redactor/policy@0.1.0`. It writes what the two composed write, in less time.
///
/// Empty where another exporter or redactor was given when this crate was built (`PARTWAY_COMPONENT`,
/// `PARTWAY_REDACTOR`): then compose the two. Empty under clippy and on docs.rs, too.
pub const REDACTING_EXPORTER: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/redacting-exporter.wasm"));

/// What [`EXPORTER`] compiles to for wasmtime, with the settings of partway-wasmtime, on x86-64 for processors with AVX2.
/// Empty where it could not be compiled.
#[cfg(feature = "precompiled")]
pub const EXPORTER_CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exporter.cwasm"));
