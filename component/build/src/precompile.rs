//! From a component to machine code, beforehand.

use wasmtime::{Config, Engine};

/// What x86-64-v3 has beside the baseline: machines since 2013 (Intel) and 2015 (AMD), and what runs the code looks whether it
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

/// Why a component could not be compiled beforehand.
#[derive(Debug, thiserror::Error)]
#[error("the component can't be compiled for {target}: {reason}")]
pub struct PrecompileError {
    /// The triple of the machine that was meant.
    target: String,
    /// The compiler's reason.
    reason: String,
}

/// Compiles a component for the machine with the triple `target`, for wasmtime to load. The engine that loads it must have
/// the same `config`, be of the same version, and run on a processor like those of the last ten years; wasmtime checks
/// all of it.
///
/// # Errors
///
/// The component is none, or there is no compiler for `target` here: one for other processors than this
/// machine's is not built.
pub fn precompile(
    component: &[u8],
    mut config: Config,
    target: &str,
) -> Result<Vec<u8>, PrecompileError> {
    let failed = |error: wasmtime::Error| PrecompileError {
        target: target.to_owned(),
        reason: format!("{error:#}"),
    };
    config.target(target).map_err(failed)?;
    if target.starts_with("x86_64") {
        for flag in X86_64_V3 {
            // SAFETY: flags can make code that does other than what the component says, or that a processor can't run. These
            // say which instructions there are, no more; and who loads the code, looks for each of them first
            // (Engine::check_compatible_with_isa_flag).
            unsafe { config.cranelift_flag_enable(flag) };
        }
    }
    Engine::new(&config).and_then(|engine| engine.precompile_component(component)).map_err(failed)
}
