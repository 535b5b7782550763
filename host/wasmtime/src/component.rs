//! A component, loaded: compiled once, with a fresh instance for every slice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, Trap,
    UpdateDeadline,
};

use crate::bindings::{ExportComponent, ExportComponentPre};
use crate::context::{PipeCtx, add_to_linker};
use crate::contract::exporter::{Budget, Error, Options, Outcome};
use crate::hex::hex;
use crate::limits::{Limiter, Limits};

/// How often a running component is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Why a component could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("the component {} can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are no WebAssembly component.
    #[error("it is no WebAssembly component: {reason}")]
    NotAComponent {
        /// The compiler's reason.
        reason: String,
    },
    /// It is a component, but of another world: it imports something else, or does not export the exporter.
    #[error(
        "it is a component, but not one of the world partway:pipe/export-component@0.1.0: {reason}"
    )]
    OtherWorld {
        /// What does not fit.
        reason: String,
    },
    /// This machine can't run WebAssembly the way it is set up here.
    #[error("the WebAssembly engine can't be set up: {reason}")]
    Engine {
        /// The engine's reason.
        reason: String,
    },
}

/// Why a call of a component gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The component says why.
    #[error("{}", message(.0))]
    Exporter(Error),
    /// It needs more memory than it may have.
    #[error(
        "the component needs more than its {} MiB of memory; a smaller part size needs less",
        .0.memory / (1024 * 1024)
    )]
    OutOfMemory(Limits),
    /// It ran on by itself and did not end.
    #[error("the component did not end the slice: cut off after {} s by itself", .0.overrun.as_secs())]
    Overrun(Limits),
    /// More slices than there is room for run at the time in this process.
    #[error("too many slices run at a time: try again when one has ended")]
    TooMany,
    /// It failed in another way: a fault of the component.
    #[error("the component failed: {0}")]
    Trap(String),
}

/// An error of the contract, in words.
fn message(error: &Error) -> &str {
    match error {
        Error::InvalidOptions(text)
        | Error::InvalidCheckpoint(text)
        | Error::ReadFailed(text)
        | Error::Corrupt(text)
        | Error::WriteFailed(text)
        | Error::TooLarge(text) => text,
        Error::Interrupted => "interrupted",
    }
}

/// An export component, compiled and ready to run slices.
#[derive(Clone)]
pub struct Exporter {
    pre: ExportComponentPre<SliceState>,
    limits: Limits,
    digest: String,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What a slice's store holds.
struct SliceState {
    pipe: PipeCtx,
    limiter: Limiter,
}

impl Exporter {
    /// The component that comes with this crate: it writes SQL dumps.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`].
    #[cfg(feature = "bundled")]
    pub fn bundled() -> Result<Self, LoadError> {
        Self::new(BUNDLED)
    }

    /// A component out of a file.
    ///
    /// # Errors
    ///
    /// All of [`LoadError`].
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path)
            .map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        Self::new(&bytes)
    }

    /// A component out of its bytes.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`], [`LoadError::OtherWorld`] and [`LoadError::Engine`].
    pub fn new(bytes: &[u8]) -> Result<Self, LoadError> {
        let engine = engine()?;
        let component = Component::from_binary(&engine, bytes)
            .map_err(|error| LoadError::NotAComponent { reason: format!("{error:#}") })?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, |state: &mut SliceState| &mut state.pipe)
            .map_err(|error| LoadError::Engine { reason: format!("{error:#}") })?;
        let pre = linker
            .instantiate_pre(&component)
            .and_then(ExportComponentPre::new)
            .map_err(|error| LoadError::OtherWorld { reason: format!("{error:#}") })?;
        tick(&engine);
        let digest = hex(&Sha256::digest(bytes));
        Ok(Self { pre, limits: Limits::default(), digest })
    }

    /// The SHA-256 of the component's bytes, in hexadecimal digits: checkpoints are of use to the same
    /// component only.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same component under other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks the options and gives the first checkpoint.
    ///
    /// # Errors
    ///
    /// All of [`CallError`].
    pub fn start(&self, ctx: PipeCtx, options: &Options) -> Result<String, CallError> {
        self.call(ctx, |component, store| {
            component.partway_pipe_exporter().call_start(store, options)
        })
    }

    /// Does one slice, in a fresh instance. It blocks: from asynchronous code call it on a thread for that,
    /// such as `spawn_blocking` gives.
    ///
    /// # Errors
    ///
    /// All of [`CallError`]. The same checkpoint may be used again.
    pub fn resume(
        &self,
        ctx: PipeCtx,
        checkpoint: &str,
        budget: Budget,
    ) -> Result<Outcome, CallError> {
        let checkpoint = checkpoint.to_owned();
        self.call(ctx, |component, store| {
            component.partway_pipe_exporter().call_resume(store, &checkpoint, budget)
        })
    }

    fn call<T>(
        &self,
        pipe: PipeCtx,
        call: impl FnOnce(
            &ExportComponent,
            &mut Store<SliceState>,
        ) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, CallError> {
        let limits = self.limits;
        let state = SliceState { pipe, limiter: Limiter::new(limits) };
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limiter);
        // What one call may hand to the host: a part at most, and so never more than the memory.
        store.set_hostcall_fuel(limits.memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |mut store| {
            if store.data_mut().pipe.overrun() > limits.overrun {
                return Ok(UpdateDeadline::Interrupt);
            }
            Ok(UpdateDeadline::Continue(1))
        });
        let result =
            self.pre.instantiate(&mut store).and_then(|component| call(&component, &mut store));
        match result {
            Ok(answer) => answer.map_err(CallError::Exporter),
            Err(_) if store.data().limiter.refused_memory => Err(CallError::OutOfMemory(limits)),
            Err(error) if error.downcast_ref() == Some(&Trap::Interrupt) => {
                Err(CallError::Overrun(limits))
            }
            Err(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => {
                Err(CallError::TooMany)
            }
            Err(error) => Err(CallError::Trap(format!("{error:#}"))),
        }
    }
}

/// The component, as the build script left it.
#[cfg(feature = "bundled")]
const BUNDLED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exporter.wasm"));

/// The bytes of the component that comes with this crate, for a host of one's own.
#[cfg(feature = "bundled")]
pub fn bundled_component() -> &'static [u8] {
    BUNDLED
}

/// An engine for export components: synchronous, interruptible, with no feature they do not need.
fn engine() -> Result<Engine, LoadError> {
    let mut config = Config::new();
    config.wasm_component_model(true).concurrency_support(false).epoch_interruption(true);
    // Compiling takes 150 ms, reading what was compiled before 2 ms. Without a folder for it, nothing is kept.
    #[cfg(feature = "cache")]
    config.cache(wasmtime::Cache::from_file(None).ok());
    let mut pooling = config.clone();
    pooling.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&pooling)
        // The pool reserves addresses, some GiB for each slice at a time, which a system may not grant.
        .or_else(|_| Engine::new(&config))
        .map_err(|error| LoadError::Engine { reason: format!("{error:#}") })
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
        .table_keep_resident(KEPT);
    pool
}

/// Lets the engine's epochs pass for as long as it lives.
fn tick(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}
