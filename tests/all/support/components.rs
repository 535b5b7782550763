//! The test components, built when a test first asks for them.

use std::path::Path;
use std::sync::LazyLock;

use partway_component_build::{Toolchain, build};

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

/// The component that checks implementations of `rows`.
pub fn rows_check() -> &'static [u8] {
    static COMPONENT: LazyLock<Vec<u8>> =
        LazyLock::new(|| component("../component/rows-check", "rows-check"));
    &COMPONENT
}

/// Builds the crate `name` in a folder below `tests/`.
fn component(folder: &str, name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
    let toolchain = Toolchain::find().expect("a toolchain for wasm");
    build(&toolchain, &folder.join("Cargo.toml"), name, &target).expect("a test component")
}
