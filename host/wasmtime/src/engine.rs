//! The engine that components run in.

mod settings;

use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

pub use settings::settings;

/// How often a running component is looked at.
const TICK: Duration = Duration::from_millis(50);

/// An engine for a component that is compiled already.
#[cfg(feature = "bundled")]
pub fn engine() -> wasmtime::Result<Engine> {
    with_pool(settings())
}

/// An engine for a component that has to be compiled.
pub fn compiling_engine() -> wasmtime::Result<Engine> {
    let config = settings();
    // Compiling takes 150 ms, reading what was compiled before 4 ms. Without a folder for it, nothing is kept.
    #[cfg(feature = "cache")]
    let config = {
        let mut config = config;
        config.cache(wasmtime::Cache::from_file(None).ok());
        config
    };
    with_pool(config)
}

fn with_pool(config: Config) -> wasmtime::Result<Engine> {
    let mut pooling = config.clone();
    pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    // The pool reserves addresses, some GiB for each slice at a time, which a system may not grant.
    Engine::new(&pooling).or_else(|_| Engine::new(&config))
}

/// Where slices get their memory: from a pool, in which what one slice has used is cleared for the next. Without it each
/// slice asks the system for every page anew, 1,500 of them with parts of 5 MiB, which took as long as a tenth of what
/// the slice does (1,000 slices of one part each).
fn pool() -> PoolingAllocationConfig {
    /// Slices at a time, in all jobs of a process.
    const SLICES: u32 = 64;
    /// What a slice uses of its memory by default; more goes back to the system.
    const KEPT: usize = 64 * 1024 * 1024;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(SLICES)
        .total_core_instances(4 * SLICES)
        .total_memories(SLICES)
        .total_tables(4 * SLICES)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT)
        // Where the system tells which pages were touched (Linux 6.7), the others need no clearing: for a tiny database that was
        // a fifth of the whole start.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Lets the engine's epochs pass for as long as it lives.
pub fn tick(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}
