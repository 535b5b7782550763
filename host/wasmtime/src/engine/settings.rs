//! What the engine that compiles the component at build time and the engine that runs it have in common: the build script has
//! this file too.

use super::Config;

/// Synchronous, interruptible, with no feature that export components do not need. All that has a say in the code belongs
/// here, for wasmtime loads none that was compiled under other settings.
pub fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        // It is for backtraces, which wasmtime makes none of here, and would be a tenth of what a start has to load.
        .generate_address_map(false);
    config
}
