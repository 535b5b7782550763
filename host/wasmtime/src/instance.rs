//! A component's instance, and the functions that it exports.

use wasmtime::component::{
    Component, ComponentNamedList, Instance, Lift, Linker, Lower, TypedFunc,
};
use wasmtime::{AsContextMut, Error as WasmtimeError, Result as WasmtimeResult};

use crate::answer;
use crate::bindings::exporter::{Budget, Error, Options, Outcome};
use crate::contents::{self, TableContents};
use crate::context::PipeView;
use crate::limits::{Limiter, Limits};

const EXPORTER: &str = "partway:pipe/exporter@0.1.0";
const CONTENTS: &str = "partway:pipe/contents@0.1.0";

/// An instance of the world `export-component` in your own store. Its functions return what
/// `exporter.wit` says; an error of wasmtime means that the component failed or was interrupted,
/// and [`CallError::new`](crate::CallError::new) says why. What a call returns is within the
/// [`Limits`] of the store's context, and its texts are safe to print.
pub struct ExportComponent {
    start: TypedFunc<(Options,), (Result<String, Error>,)>,
    resume: TypedFunc<(String, Budget), (Result<Outcome, Error>,)>,
    /// None: the component does not tell its contents.
    tables: Option<TypedFunc<(), (Vec<TableContents>,)>>,
}

impl std::fmt::Debug for ExportComponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportComponent").finish_non_exhaustive()
    }
}

impl ExportComponent {
    /// Instantiates a component with the imports linked by
    /// [`add_to_linker_sync`](crate::add_to_linker_sync).
    ///
    /// # Errors
    ///
    /// If the component is of another world.
    pub fn instantiate<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        component: &Component,
        linker: &Linker<T>,
    ) -> WasmtimeResult<Self> {
        let instance = linker.instantiate(&mut store, component)?;
        Self::new(store, &instance)
    }

    /// Like [`ExportComponent::instantiate`], with the imports linked by
    /// [`add_to_linker_async`](crate::add_to_linker_async).
    ///
    /// # Errors
    ///
    /// If the component is of another world.
    #[cfg(feature = "async")]
    pub async fn instantiate_async<T: Send + 'static>(
        mut store: impl AsContextMut<Data = T>,
        component: &Component,
        linker: &Linker<T>,
    ) -> WasmtimeResult<Self> {
        let instance = linker.instantiate_async(&mut store, component).await?;
        Self::new(store, &instance)
    }

    /// The exported functions of an instance.
    ///
    /// # Errors
    ///
    /// If the instance is of another world.
    pub fn new(mut store: impl AsContextMut, instance: &Instance) -> WasmtimeResult<Self> {
        let start = function(&mut store, instance, EXPORTER, "start")?;
        let resume = function(&mut store, instance, EXPORTER, "resume")?;
        let tables = match instance.get_export_index(&mut store, None, CONTENTS) {
            Some(_) => Some(function(store, instance, CONTENTS, "tables")?),
            None => None,
        };
        Ok(Self { start, resume, tables })
    }

    /// Checks the options against the schema and returns the first checkpoint.
    ///
    /// # Errors
    ///
    /// If the component fails.
    pub fn call_start(
        &self,
        mut store: impl AsContextMut<Data: PipeView>,
        options: Options,
    ) -> WasmtimeResult<Result<String, Error>> {
        let (started,) = self.start.call(&mut store, (options,))?;
        Ok(answer::checkpoint(started, &limits(&mut store))?)
    }

    /// Runs one slice, starting from a checkpoint.
    ///
    /// # Errors
    ///
    /// If the component fails or is interrupted.
    pub fn call_resume(
        &self,
        mut store: impl AsContextMut<Data: PipeView>,
        checkpoint: String,
        budget: Budget,
    ) -> WasmtimeResult<Result<Outcome, Error>> {
        limiter(&mut store, |limiter| limiter.begin_slice(budget.parts));
        let (outcome,) = self.resume.call(&mut store, (checkpoint, budget))?;
        Ok(answer::outcome(outcome, &limits(&mut store))?)
    }

    /// The tables whose rows ended in the slice that this instance has just run: what `contents.wit` says. None from a
    /// component that does not have this interface.
    ///
    /// # Errors
    ///
    /// If the component fails, or returns more than fits into its memory.
    pub fn call_tables(
        &self,
        mut store: impl AsContextMut<Data: PipeView>,
    ) -> WasmtimeResult<Vec<TableContents>> {
        let Some(tables) = &self.tables else { return Ok(Vec::new()) };
        let (tables,) = tables.call(&mut store, ())?;
        Ok(contents::bounded(tables, &limits(&mut store))?)
    }

    /// Like [`ExportComponent::call_start`], for an instance that was created asynchronously.
    ///
    /// # Errors
    ///
    /// If the component fails.
    #[cfg(feature = "async")]
    pub async fn call_start_async(
        &self,
        mut store: impl AsContextMut<Data: PipeView>,
        options: Options,
    ) -> WasmtimeResult<Result<String, Error>> {
        let (started,) = self.start.call_async(&mut store, (options,)).await?;
        Ok(answer::checkpoint(started, &limits(&mut store))?)
    }

    /// Like [`ExportComponent::call_resume`], for an instance that was created asynchronously. If
    /// the future is dropped, it is as if the slice had not begun.
    ///
    /// # Errors
    ///
    /// If the component fails or is interrupted.
    #[cfg(feature = "async")]
    pub async fn call_resume_async(
        &self,
        mut store: impl AsContextMut<Data: PipeView>,
        checkpoint: String,
        budget: Budget,
    ) -> WasmtimeResult<Result<Outcome, Error>> {
        limiter(&mut store, |limiter| limiter.begin_slice(budget.parts));
        let (outcome,) = self.resume.call_async(&mut store, (checkpoint, budget)).await?;
        Ok(answer::outcome(outcome, &limits(&mut store))?)
    }

    /// Like [`ExportComponent::call_tables`], for an instance that was created asynchronously.
    ///
    /// # Errors
    ///
    /// If the component fails, or returns more than fits into its memory.
    #[cfg(feature = "async")]
    pub async fn call_tables_async(
        &self,
        mut store: impl AsContextMut<Data: PipeView>,
    ) -> WasmtimeResult<Vec<TableContents>> {
        let Some(tables) = &self.tables else { return Ok(Vec::new()) };
        let (tables,) = tables.call_async(&mut store, ()).await?;
        Ok(contents::bounded(tables, &limits(&mut store))?)
    }
}

fn limiter<T>(
    store: &mut impl AsContextMut<Data: PipeView>,
    use_it: impl FnOnce(&mut Limiter) -> T,
) -> T {
    use_it(store.as_context_mut().data_mut().pipe().ctx.limiter())
}

fn limits(store: &mut impl AsContextMut<Data: PipeView>) -> Limits {
    limiter(store, |limiter| limiter.limits())
}

fn function<Params, Return>(
    mut store: impl AsContextMut,
    instance: &Instance,
    interface: &str,
    name: &str,
) -> WasmtimeResult<TypedFunc<Params, Return>>
where
    Params: ComponentNamedList + Lower,
    Return: ComponentNamedList + Lift,
{
    let missing =
        || WasmtimeError::msg(format!("the component does not export {interface} {name}"));
    let exports = instance.get_export_index(&mut store, None, interface).ok_or_else(missing)?;
    let function =
        instance.get_export_index(&mut store, Some(&exports), name).ok_or_else(missing)?;
    instance.get_typed_func(store, function)
}
