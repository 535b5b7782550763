//! A component, loaded: compiled once, with a fresh instance for every slice.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use crate::bindings::{ExportComponent, ExportComponentPre};
use crate::context::{PipeCtx, add_to_linker};
use crate::contract::exporter::{Budget, Error, Options, Outcome};
#[cfg(feature = "bundled")]
use crate::engine::engine;
use crate::engine::{compiling_engine, tick};
use crate::hex::hex;
use crate::limits::{Limiter, Limits};

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

impl LoadError {
    fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { reason: format!("{error:#}") }
    }
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
    is_precompiled: bool,
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
    /// The component that comes with this crate: it writes SQL dumps. It was compiled when the crate was, and is compiled anew
    /// only where that does not fit the machine.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`].
    #[cfg(feature = "bundled")]
    pub fn bundled() -> Result<Self, LoadError> {
        // SAFETY: the build script wrote it, of this component.
        unsafe { Self::precompiled(PRECOMPILED, BUNDLED) }
    }

    /// A component that may have been compiled already, to `code`; `bytes` are compiled where it was not, or for another
    /// machine, in another way or by another version of the compiler.
    ///
    /// # Safety
    ///
    /// Nothing looks at the instructions in `code`: it must have been made of `bytes` by
    /// [`Engine::precompile_component`], or be nothing that could be taken for its outcome.
    #[cfg(feature = "bundled")]
    unsafe fn precompiled(code: &[u8], bytes: &[u8]) -> Result<Self, LoadError> {
        if !code.is_empty() {
            let engine = engine().map_err(LoadError::engine)?;
            // SAFETY: as the caller says. wasmtime compares version, machine and settings before it trusts the rest.
            match unsafe { Component::deserialize(&engine, code) } {
                Ok(component) => {
                    let exporter = Self::of(&engine, &component, bytes)?;
                    return Ok(Self { is_precompiled: true, ..exporter });
                }
                Err(error) => tracing::debug!("the component is compiled anew: {error:#}"),
            }
        }
        Self::new(bytes)
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
        let engine = compiling_engine().map_err(LoadError::engine)?;
        let component = Component::from_binary(&engine, bytes)
            .map_err(|error| LoadError::NotAComponent { reason: format!("{error:#}") })?;
        Self::of(&engine, &component, bytes)
    }

    fn of(engine: &Engine, component: &Component, bytes: &[u8]) -> Result<Self, LoadError> {
        let mut linker = Linker::new(engine);
        add_to_linker(&mut linker, |state: &mut SliceState| &mut state.pipe)
            .map_err(LoadError::engine)?;
        let pre = linker
            .instantiate_pre(component)
            .and_then(ExportComponentPre::new)
            .map_err(|error| LoadError::OtherWorld { reason: format!("{error:#}") })?;
        tick(engine);
        let digest = hex(&Sha256::digest(bytes));
        Ok(Self { pre, limits: Limits::default(), digest, is_precompiled: false })
    }

    /// Whether it was compiled when the crate was, and not at the start: a first start then takes no longer than any.
    pub fn is_precompiled(&self) -> bool {
        self.is_precompiled
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

/// What it was compiled to, where the build could.
#[cfg(feature = "bundled")]
const PRECOMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exporter.cwasm"));

/// The bytes of the component that comes with this crate, for a host of one's own.
#[cfg(feature = "bundled")]
pub fn bundled_component() -> &'static [u8] {
    BUNDLED
}

#[cfg(all(test, feature = "bundled"))]
mod tests {
    use wasmtime::Config;

    use super::{BUNDLED, Exporter, PRECOMPILED};
    use crate::exporter::Options;
    use crate::{PipeCtx, Snapshot, parts};

    struct Nowhere;

    impl crate::Parts for Nowhere {
        fn write(&mut self, _number: u32, _bytes: &[u8]) -> Result<(), parts::Error> {
            Ok(())
        }
    }

    /// Whether the machine of this test has what the build script counts on.
    fn is_usual_machine() -> bool {
        #[cfg(target_arch = "x86_64")]
        return std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("fma")
            && std::is_x86_feature_detected!("bmi1")
            && std::is_x86_feature_detected!("bmi2")
            && std::is_x86_feature_detected!("lzcnt")
            && std::is_x86_feature_detected!("popcnt");
        #[cfg(not(target_arch = "x86_64"))]
        cfg!(target_arch = "aarch64")
    }

    fn starts(exporter: &Exporter) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.db");
        let database = rusqlite::Connection::open(&file).expect("a database");
        database.execute_batch("CREATE TABLE t (a)").expect("a table");
        let snapshot = Snapshot::hold(&file).expect("a snapshot");
        let options = Options {
            format: "sql".into(),
            tables: vec![],
            part_size: 64 * 1024,
            settings: vec![],
        };
        exporter.start(PipeCtx::builder().build(snapshot, Nowhere), &options).is_ok()
    }

    #[test]
    fn the_component_of_the_crate_is_compiled_with_it() {
        let exporter = Exporter::bundled().expect("the component");
        assert_eq!(exporter.is_precompiled(), is_usual_machine());
        assert!(starts(&exporter));
        let compiled = Exporter::new(BUNDLED).expect("the component");
        assert!(!compiled.is_precompiled());
        assert_eq!(exporter.digest(), compiled.digest());
    }

    /// What a compiler makes of the component that is set up as `set` says.
    fn code(set: impl FnOnce(&mut Config)) -> Vec<u8> {
        let mut config = crate::engine::settings();
        set(&mut config);
        let engine = wasmtime::Engine::new(&config).expect("an engine");
        engine.precompile_component(BUNDLED).expect("code")
    }

    #[test]
    fn code_that_does_not_fit_is_compiled_anew() {
        let other_machine = code(|config| {
            let other = if cfg!(windows) { "unknown-linux-gnu" } else { "pc-windows-msvc" };
            config.target(&format!("{}-{other}", std::env::consts::ARCH)).expect("a target");
        });
        let other_settings = code(|config| {
            config.epoch_interruption(false);
        });
        let other_version = code(|config| {
            let version = wasmtime::ModuleVersionStrategy::Custom("47.0.0".into());
            config.module_version(version).expect("a version");
        });
        let cut_off = PRECOMPILED[..PRECOMPILED.len() / 2].to_vec();
        for code in
            [other_machine, other_settings, other_version, cut_off, b"code".to_vec(), vec![]]
        {
            // SAFETY: the component's code, or too little of it to be taken for any.
            let exporter = unsafe { Exporter::precompiled(&code, BUNDLED) }.expect("the component");
            assert!(!exporter.is_precompiled());
            assert!(starts(&exporter));
        }
        // What is compared is the difference, not that it was compiled in a test.
        let own = code(|_| {});
        // SAFETY: the component's code.
        let exporter = unsafe { Exporter::precompiled(&own, BUNDLED) }.expect("the component");
        assert!(exporter.is_precompiled() && starts(&exporter));
    }
}
