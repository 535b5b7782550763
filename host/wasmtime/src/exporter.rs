//! A loaded component: compiled once, with a new instance for every slice.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Store};

use crate::bindings::exporter::Error;
use crate::bindings::{CheckedExports, ExportComponent};
use crate::context::{PipeCtx, PipeCtxView, PipeView};
use crate::engine;
use crate::error::{CallError, LoadError, read_component};
use crate::limited_store::limit;
use crate::linker::add_to_linker_sync;
use crate::parts::NoParts;
use crate::rows::Rows;

pub use crate::bindings::exporter::{
    Budget, Error as ExportError, More, Options, Outcome, Progress, Summary,
};

pub use crate::contents::TableContents;

const WORLD: &str = "partway:pipe/export-component@0.1.0";

/// What a slice has done.
#[derive(Debug, Clone)]
pub struct SliceResult {
    /// How it ended.
    pub outcome: Outcome,
    /// The tables whose rows ended in it, in the object's order. Empty if the component does not tell.
    pub tables: Vec<TableContents>,
}

impl Options {
    /// Options to export everything, in a format of the component, in parts of this many bytes (at
    /// least 4,096).
    pub fn new(format: &str, part_size: u32) -> Self {
        Self { format: format.to_owned(), tables: Vec::new(), part_size, settings: Vec::new() }
    }
}

/// An export component, compiled and ready to run slices, each in a new instance. Clones share it.
#[derive(Clone)]
pub struct Exporter {
    component: Component,
    blocking: InstancePre<SliceState>,
    #[cfg(feature = "async")]
    asynchronous: InstancePre<SliceState>,
    digest: String,
    is_precompiled: bool,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// The data of a slice's store.
struct SliceState {
    ctx: PipeCtx,
    table: ResourceTable,
}

impl PipeView for SliceState {
    fn pipe(&mut self) -> PipeCtxView<'_> {
        PipeCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl Exporter {
    /// Loads a component from its bytes, in an engine that all exporters of this process share.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`], [`LoadError::OtherWorld`] and [`LoadError::Engine`].
    pub fn new(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::with_engine(engine::compiling().map_err(LoadError::engine)?, bytes)
    }

    /// Loads a component from a file.
    ///
    /// # Errors
    ///
    /// All of [`LoadError`].
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        Self::new(&read_component(path)?)
    }

    /// Loads a component from its bytes, in your own engine. A [`Ticker`](crate::Ticker) or
    /// something else must advance the engine's [epochs](wasmtime::Config::epoch_interruption), or
    /// a component that does not end is not interrupted.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`], [`LoadError::OtherWorld`] and [`LoadError::Engine`].
    pub fn with_engine(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let component = engine::compile(engine, bytes)?;
        Self::link(component, bytes, false)
    }

    /// Links a component that was compiled from these bytes.
    pub(crate) fn link(
        component: Component,
        bytes: &[u8],
        is_precompiled: bool,
    ) -> Result<Self, LoadError> {
        let mut linker = Linker::new(component.engine());
        add_to_linker_sync(&mut linker).map_err(LoadError::engine)?;
        let other_world = |error: wasmtime::Error| LoadError::other_world(WORLD, &error);
        let blocking = linker.instantiate_pre(&component).map_err(other_world)?;
        CheckedExports::new(blocking.clone()).map_err(other_world)?;
        Ok(Self {
            blocking,
            #[cfg(feature = "async")]
            asynchronous: {
                let mut linker = Linker::new(component.engine());
                crate::linker::add_to_linker_async(&mut linker).map_err(LoadError::engine)?;
                linker.instantiate_pre(&component).map_err(other_world)?
            },
            component,
            digest: base16ct::lower::encode_string(&Sha256::digest(bytes)),
            is_precompiled,
        })
    }

    /// Whether the component was compiled together with the crate and not at startup: the first
    /// start then takes no longer than later ones.
    pub fn is_precompiled(&self) -> bool {
        self.is_precompiled
    }

    /// The SHA-256 of the component's bytes, in hexadecimal digits. Checkpoints can be used by the
    /// same component only.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Checks the options against a database's schema and returns the first checkpoint. It blocks,
    /// like [`Exporter::resume`].
    ///
    /// # Errors
    ///
    /// All of [`CallError`].
    pub fn start(&self, rows: impl Rows + 'static, options: &Options) -> Result<String, CallError> {
        let options = options.clone();
        self.call(PipeCtx::builder().build(rows, NoParts), |component, store| {
            component.call_start(store, options)
        })
    }

    /// Runs one slice in a new instance, within the limits of its context. It blocks: in
    /// asynchronous code, call it on a thread that may block, for instance with `spawn_blocking`.
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
        self.slice(ctx, checkpoint, budget).map(|slice| slice.outcome)
    }

    /// Like [`Exporter::resume`]. Returns also which tables the slice has completed, as far as the component tells.
    ///
    /// # Errors
    ///
    /// All of [`CallError`]. The same checkpoint may be used again.
    pub fn slice(
        &self,
        ctx: PipeCtx,
        checkpoint: &str,
        budget: Budget,
    ) -> Result<SliceResult, CallError> {
        let checkpoint = checkpoint.to_owned();
        self.call(ctx, |component, store| {
            let outcome = component.call_resume(&mut *store, checkpoint, budget)?;
            Ok(match outcome {
                Ok(outcome) => Ok(SliceResult { outcome, tables: component.call_tables(store)? }),
                Err(error) => Err(error),
            })
        })
    }

    fn call<T>(
        &self,
        ctx: PipeCtx,
        call: impl FnOnce(
            &ExportComponent,
            &mut Store<SliceState>,
        ) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, CallError> {
        let mut store = self.store(ctx);
        limit(&mut store);
        let result = self
            .blocking
            .instantiate(&mut store)
            .and_then(|instance| ExportComponent::new(&mut store, &instance))
            .and_then(|component| call(&component, &mut store));
        answer(result, &mut store)
    }

    fn store(&self, ctx: PipeCtx) -> Store<SliceState> {
        Store::new(self.component.engine(), SliceState { ctx, table: ResourceTable::new() })
    }
}

/// The same for asynchronous hosts.
#[cfg(feature = "async")]
impl Exporter {
    /// Like [`Exporter::start`], without blocking.
    ///
    /// # Errors
    ///
    /// All of [`CallError`].
    pub async fn start_async(
        &self,
        rows: impl Rows + 'static,
        options: &Options,
    ) -> Result<String, CallError> {
        let mut store = self.store(PipeCtx::builder().build(rows, NoParts));
        let result = match self.instantiate_async(&mut store).await {
            Ok(component) => component.call_start_async(&mut store, options.clone()).await,
            Err(error) => Err(error),
        };
        answer(result, &mut store)
    }

    /// Like [`Exporter::resume`], without blocking: other tasks run while it waits for rows or
    /// parts, and the component's own work yields to them every 50 ms. If the future is dropped, it
    /// is as if the slice had not begun.
    ///
    /// # Errors
    ///
    /// All of [`CallError`]. The same checkpoint may be used again.
    pub async fn resume_async(
        &self,
        ctx: PipeCtx,
        checkpoint: &str,
        budget: Budget,
    ) -> Result<Outcome, CallError> {
        let mut store = self.store(ctx);
        let result = match self.instantiate_async(&mut store).await {
            Ok(component) => {
                component.call_resume_async(&mut store, checkpoint.to_owned(), budget).await
            }
            Err(error) => Err(error),
        };
        answer(result, &mut store)
    }

    async fn instantiate_async(
        &self,
        store: &mut Store<SliceState>,
    ) -> wasmtime::Result<ExportComponent> {
        crate::limited_store::limit_async(store);
        let instance = self.asynchronous.instantiate_async(&mut *store).await?;
        ExportComponent::new(store, &instance)
    }
}

fn answer<T>(
    result: wasmtime::Result<Result<T, Error>>,
    store: &mut Store<SliceState>,
) -> Result<T, CallError> {
    match result {
        Ok(answer) => answer.map_err(CallError::Exporter),
        Err(error) => Err(CallError::new(&error, &mut store.data_mut().ctx)),
    }
}
