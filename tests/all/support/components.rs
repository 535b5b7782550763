//! The test components, built when a test first asks for them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use partway_component_build::{Library, Toolchain, build_workspace};
use wit_parser::decoding::DecodedWasm;
use wit_parser::{WorldItem, WorldKey};

/// The interfaces that a component has, by their full names.
#[derive(Debug, PartialEq, Eq)]
pub struct Interfaces {
    pub imports: BTreeSet<String>,
    pub exports: BTreeSet<String>,
}

impl Interfaces {
    /// What the world `export-component` says, and nothing else.
    pub fn of_exporters() -> Self {
        let names = |names: &[&str]| {
            names.iter().map(|name| format!("partway:pipe/{name}@0.1.0")).collect()
        };
        Self { imports: names(&["pacing", "parts", "rows"]), exports: names(&["exporter"]) }
    }
}

/// What a component imports and exports.
pub fn interfaces(component: &[u8]) -> Interfaces {
    let DecodedWasm::Component(resolve, world) =
        wit_parser::decoding::decode(component).expect("a component")
    else {
        panic!("a package, not a component");
    };
    let names = |items: &wit_parser::IndexMap<WorldKey, WorldItem>| -> BTreeSet<String> {
        items
            .iter()
            .map(|(key, item)| match item {
                WorldItem::Interface { .. } => resolve.name_world_key(key),
                other => panic!("something beside interfaces: {other:?}"),
            })
            .collect()
    };
    let world = &resolve.worlds[world];
    Interfaces { imports: names(&world.imports), exports: names(&world.exports) }
}

/// The component of the world `transform` that passes everything on.
pub fn pass_through() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| component("components/pass-through", "pass-through"));
    &COMPONENT
}

/// The component that misbehaves as its format says.
pub fn hostile() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| component("components/hostile", "hostile"));
    &COMPONENT
}

/// The codec that misbehaves as its encoding says.
pub fn hostile_codec() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| component("components/hostile-codec", "hostile-codec"));
    &COMPONENT
}

/// The example of a codec, which knows LZ4.
pub fn lz4_codec() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| component_with("../examples/codec-lz4", "codec-lz4", Library::Std));
    &COMPONENT
}

/// The component that checks implementations of `rows`.
pub fn rows_check() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| component("../component/rows-check", "rows-check"));
    &COMPONENT
}

/// Builds the crate `name` in a folder below `tests/`.
fn component(folder: &str, name: &str) -> Vec<u8> {
    component_with(folder, name, Library::Alloc)
}

fn component_with(folder: &str, name: &str, library: Library) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
    let toolchain = Toolchain::find().expect("a toolchain for wasm");
    let built = build_workspace(&toolchain, &folder.join("Cargo.toml"), &[name], &target, library);
    built.expect("a test component").remove(0)
}
