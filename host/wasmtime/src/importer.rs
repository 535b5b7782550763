//! The way back: a loaded import component, which checks dumps and splits them into statements.

use std::fmt;
use std::time::Instant;

use wasmtime::component::Linker;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::bindings::import::{Generated, GeneratedPre};
use crate::engine;
use crate::error::{CallError, LoadError};
use crate::limits::{Limiter, Limits};

pub use crate::bindings::import::importer::{
    Dump, Error as DumpError, Statement, StatementKind, Statements, Target,
};

const WORLD: &str = "partway:pipe/import-component@0.1.0";

/// An import component, compiled and ready. Each call runs in a new instance, within [`Limits`]. Clones share it.
///
/// A host that restores a dump calls [`Importer::check`] once, then [`Importer::split`] with one range after another, and
/// runs the statements itself. If it saves the offset up to which they were run in the transaction that they wrote in, each
/// counts once, wherever it is interrupted.
///
/// ```
/// # #[cfg(feature = "prebuilt")] {
/// use partway_wasmtime::importer::{Importer, StatementKind};
///
/// let dump = b"-- partway:begin sql 1\nPRAGMA defer_foreign_keys=TRUE;\nCREATE TABLE t(a);\n\
///     INSERT INTO \"t\" VALUES\n(1),\n(2);\n-- partway:end tables=1 rows=2\nSELECT 1;\n";
/// let importer = Importer::prebuilt()?;
/// // The whole dump twice, as it has fewer than importer.check_bytes() bytes.
/// assert_eq!(importer.check(dump, dump)??.rows, 2);
/// let found = importer.split(&dump[..], u32::MAX)?;
/// assert_eq!(found.statements[2].kind, StatementKind::Rows);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Importer {
    component: GeneratedPre<ImportState>,
    limits: Limits,
}

impl fmt::Debug for Importer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Importer").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The data of a call's store.
struct ImportState {
    limiter: Limiter,
    began: Instant,
}

impl Importer {
    /// The component in `partway-prebuilt`. Each call compiles it: keep what it returns.
    ///
    /// # Errors
    ///
    /// [`LoadError::Engine`].
    #[cfg(feature = "prebuilt")]
    pub fn prebuilt() -> Result<Self, LoadError> {
        Self::new(partway_prebuilt::IMPORTER)
    }

    /// Loads a component from its bytes, in an engine that this process shares.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`], [`LoadError::OtherWorld`] and [`LoadError::Engine`].
    pub fn new(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::with_engine(engine::compiling().map_err(LoadError::engine)?, bytes)
    }

    /// Loads a component from its bytes, in your own engine, whose
    /// [epochs](wasmtime::Config::epoch_interruption) something must advance: a [`Ticker`](crate::Ticker), say.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`] and [`LoadError::OtherWorld`].
    pub fn with_engine(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let component = engine::compile(engine, bytes)?;
        let component = Linker::new(engine)
            .instantiate_pre(&component)
            .and_then(GeneratedPre::new)
            .map_err(|error| LoadError::other_world(WORLD, &error))?;
        Ok(Self { component, limits: Limits::default() })
    }

    /// Sets what a call may use. The memory must hold a range of the dump twice.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How many of a dump's first and last bytes [`Importer::check`] needs.
    ///
    /// # Errors
    ///
    /// If the component fails.
    pub fn check_bytes(&self) -> Result<u32, CallError> {
        self.call(|component, store| component.partway_pipe_importer().call_check_bytes(store))
    }

    /// Checks whether a dump is one, and whole, by its first and last bytes: [`Importer::check_bytes`] of each, or both the
    /// whole dump if it is shorter. What is wrong with it is the inner error.
    ///
    /// # Errors
    ///
    /// If the component fails.
    pub fn check(&self, head: &[u8], tail: &[u8]) -> Result<Result<Dump, DumpError>, CallError> {
        self.call(|component, store| {
            component.partway_pipe_importer().call_check(store, head, tail)
        })
    }

    /// Splits a range of a dump that begins where a statement or comment begins. `limit`: no more statements than that.
    ///
    /// # Errors
    ///
    /// If the component fails, for instance for want of memory.
    pub fn split(&self, bytes: &[u8], limit: u32) -> Result<Statements, CallError> {
        self.call(|component, store| {
            component.partway_pipe_importer().call_split(store, bytes, limit)
        })
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&Generated, &mut Store<ImportState>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let Limits { memory, overrun, .. } = self.limits;
        let state = ImportState { limiter: Limiter::new(self.limits), began: Instant::now() };
        let mut store = Store::new(self.component.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |store| {
            let is_over = store.data().began.elapsed() > overrun;
            Ok(if is_over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        let result = self
            .component
            .instantiate(&mut store)
            .and_then(|component| call(&component, &mut store));
        result.map_err(|error| CallError::within(&error, &store.data().limiter))
    }
}

#[cfg(all(test, feature = "prebuilt"))]
mod tests {
    use std::time::Duration;

    use partway_prebuilt::{EXPORTER, IMPORTER};

    use super::*;

    #[test]
    fn a_component_of_another_world_is_refused() {
        let error = Importer::new(EXPORTER).expect_err("it exports no importer").to_string();
        assert!(error.contains("not one of the world partway:pipe/import-component"), "{error}");
        let error = crate::exporter::Exporter::new(IMPORTER).expect_err("no exporter").to_string();
        assert!(error.contains("not one of the world partway:pipe/export-component"), "{error}");
    }

    #[test]
    fn a_range_that_does_not_fit_is_an_error_with_its_reason() {
        let importer = Importer::prebuilt().expect("the component");
        let range = vec![b' '; 8 << 20];
        assert_eq!(importer.split(&range, 1).expect("it fits").used, 0);
        let small = importer.clone().with_limits(Limits { memory: 4 << 20, ..Limits::default() });
        assert!(matches!(small.split(&range, 1), Err(CallError::OutOfMemory(_))));
        let short = Limits { overrun: Duration::ZERO, ..Limits::default() };
        let statements = b"SELECT 1;".repeat(1 << 20);
        let result = importer.with_limits(short).split(&statements, 1 << 20);
        assert!(matches!(result, Err(CallError::Overrun(_))), "{result:?}");
    }
}
