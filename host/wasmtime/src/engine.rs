//! The engines that components run in.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
};

use crate::error::LoadError;

/// How often a running component is checked.
const TICK: Duration = Duration::from_millis(50);

/// Advances the epoch of an engine every 50 ms, for as long as this lives:
/// [`Limits::overrun`](crate::Limits::overrun) depends on it. Use one for each engine of your own.
#[derive(Debug)]
pub struct Ticker {
    /// Dropped with the ticker, which ends the thread at its next tick.
    _alive: std::sync::Arc<()>,
}

impl Ticker {
    /// Starts a thread for this alone.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let engine = engine.weak();
        let ticker = Self { _alive: std::sync::Arc::default() };
        let alive = std::sync::Arc::downgrade(&ticker._alive);
        thread::Builder::new().name("partway-ticker".to_owned()).spawn(move || {
            while alive.strong_count() > 0
                && let Some(engine) = engine.upgrade()
            {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })?;
        Ok(ticker)
    }
}

/// The configuration of an engine for export components: interruptible, without features that they
/// do not need. Add to it what your own components need. An engine that compiles differently can't
/// load what this crate has compiled, and compiles the component again.
pub fn config() -> Config {
    // All that has a say in the code stands in the build script of partway-prebuilt as well.
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        // It is for backtraces, which wasmtime makes none of here, and would be a tenth of what a start has to load.
        .generate_address_map(false);
    config
}

/// Compiles a component.
pub(crate) fn compile(engine: &Engine, bytes: &[u8]) -> std::result::Result<Component, LoadError> {
    Component::from_binary(engine, bytes)
        .map_err(|error| LoadError::NotAComponent { reason: format!("{error:#}") })
}

/// The process's engine for a component that is already compiled. Created once, as it has a pool of
/// memory.
#[cfg(feature = "precompiled")]
pub(crate) fn loading() -> Result<&'static Engine> {
    static ENGINE: OnceLock<(Engine, Ticker)> = OnceLock::new();
    once(&ENGINE, config)
}

/// The process's engine for components that have to be compiled.
pub(crate) fn compiling() -> Result<&'static Engine> {
    static ENGINE: OnceLock<(Engine, Ticker)> = OnceLock::new();
    once(&ENGINE, || {
        let config = config();
        // Compiling takes 150 ms, reading what was compiled before 4 ms. Without a folder for it, nothing is kept.
        #[cfg(feature = "cache")]
        let config = {
            let mut config = config;
            config.cache(wasmtime::Cache::from_file(None).ok());
            config
        };
        config
    })
}

fn once(
    engine: &'static OnceLock<(Engine, Ticker)>,
    config: impl FnOnce() -> Config,
) -> Result<&'static Engine> {
    if let Some((engine, _)) = engine.get() {
        return Ok(engine);
    }
    let made = with_pool(config())?;
    let ticker = Ticker::start(&made)?;
    // Another thread may have been first.
    Ok(&engine.get_or_init(|| (made, ticker)).0)
}

fn with_pool(config: Config) -> Result<Engine> {
    let mut pooling = config.clone();
    pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    // The pool reserves addresses, some GiB for each slice at a time, which a system may not grant.
    Engine::new(&pooling).or_else(|_| Engine::new(&config))
}

/// Where slices get their memory: from a pool, in which the memory of one slice is cleared for the
/// next. Without it, each slice gets every page from the system again, 1,500 of them with parts of
/// 5 MiB, which took a tenth of the time of the slice (1,000 slices of one part each).
fn pool() -> PoolingAllocationConfig {
    /// The most slices at a time, in all jobs of a process.
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
