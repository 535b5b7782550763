//! From a component to machine code, beforehand.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use wasmtime::{Config, Engine, Result};

/// What x86-64-v3 has beside the baseline: machines since 2013 (Intel) and 2015 (AMD), and what runs the code checks that it
/// has them. The code of a component that is compiled where it runs uses hardly more.
const X86_64_V3: [&str; 11] = [
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_lzcnt",
    "has_bmi1",
    "has_bmi2",
    "has_avx",
    "has_avx2",
    "has_fma",
];

/// Writes what a component compiles to for the crate's target; nothing where it can't be compiled here: then that is left
/// to the host.
pub fn write(component: &Path, code: &Path) -> std::result::Result<(), Box<dyn Error>> {
    let target = env::var("TARGET")?;
    let compiled = match fs::read(component)?.as_slice() {
        // A stub, for lints and documentation.
        [] => Vec::new(),
        component => precompile(component, &target).unwrap_or_else(|error| {
            let reason = format!("{error:#}").replace('\n', " ");
            println!("cargo::warning=the component can't be compiled for {target} here: {reason}");
            Vec::new()
        }),
    };
    Ok(fs::write(code, compiled)?)
}

/// The engine that loads the code must have the same settings, be of the same version, and run on a processor like those
/// of the last ten years; wasmtime checks all of it.
fn precompile(component: &[u8], target: &str) -> Result<Vec<u8>> {
    let mut config = settings();
    config.target(target)?;
    if target.starts_with("x86_64") {
        for flag in X86_64_V3 {
            // SAFETY: flags can make code that does other than what the component says, or that a processor can't run.
            // These say which instructions there are, no more; and whatever loads the code checks each of them first
            // (Engine::check_compatible_with_isa_flag).
            unsafe { config.cranelift_flag_enable(flag) };
        }
    }
    Engine::new(&config)?.precompile_component(component)
}

/// The settings of the engine that loads the code: those of `config` in partway-wasmtime, where a test fails if the two
/// come to differ.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .generate_address_map(false);
    config
}
