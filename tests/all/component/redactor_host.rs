//! A host that gives the redactor its policy itself, so that one compiled component serves every policy.

use std::sync::{Arc, Mutex};

use partway_prebuilt::{EXPORTER, REDACTING_EXPORTER, REDACTOR};
use partway_sqlite::Snapshot;
use partway_wasmtime::exporter::{Budget, ExportError, Options, Outcome};
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{
    PipeCtx, PipeCtxView, PipeView, Ticker, add_to_linker_sync, async_trait, config, limit,
};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};
use wasmtime::component::{
    Component, ComponentNamedList, InstancePre, Lift, Linker, Lower, ResourceTable,
};
use wasmtime::{Engine, Store};

/// A component with the redactor and the exporter, compiled.
pub struct RedactorHost {
    engine: Engine,
    instance: InstancePre<State>,
    _ticker: Ticker,
}

struct State {
    ctx: PipeCtx,
    table: ResourceTable,
    policy: String,
}

impl PipeView for State {
    fn pipe(&mut self) -> PipeCtxView<'_> {
        PipeCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

/// Parts, one after the other.
#[derive(Clone, Default)]
struct Object(Arc<Mutex<Vec<u8>>>);

#[async_trait]
impl Parts for Object {
    async fn write(&mut self, _number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

impl RedactorHost {
    /// The component that has both inside.
    pub fn linked() -> Self {
        Self::new(REDACTING_EXPORTER)
    }

    /// The redactor in front of the exporter, as in front of any other one.
    pub fn composed() -> Self {
        let mut graph = CompositionGraph::new();
        let mut add = |name: &str, bytes: &[u8]| {
            let package = Package::from_bytes(name, None, bytes.to_vec(), graph.types_mut());
            graph.register_package(package.unwrap()).unwrap()
        };
        let (redactor, exporter) = (add("redactor", REDACTOR), add("exporter", EXPORTER));
        plug(&mut graph, vec![redactor], exporter).unwrap();
        Self::new(&graph.encode(EncodeOptions::default()).unwrap())
    }

    fn new(component: &[u8]) -> Self {
        let engine = Engine::new(&config()).unwrap();
        let mut linker = Linker::<State>::new(&engine);
        add_to_linker_sync(&mut linker).unwrap();
        linker
            .instance("partway:redactor/policy@0.1.0")
            .unwrap()
            .func_wrap("get", |store, (): ()| Ok((store.data().policy.clone(),)))
            .unwrap();
        let component = Component::from_binary(&engine, component).unwrap();
        let instance = linker.instantiate_pre(&component).unwrap();
        let _ticker = Ticker::start(&engine).unwrap();
        Self { engine, instance, _ticker }
    }

    /// Exports in slices of so many parts, each in a new instance.
    pub fn export(
        &self,
        snapshot: &Snapshot,
        policy: &str,
        parts: u32,
    ) -> Result<Vec<u8>, ExportError> {
        let mut object = Vec::new();
        let mut saved = self.start(snapshot, policy)?;
        loop {
            let (outcome, bytes) = self.slice(snapshot, policy, &saved, parts)?;
            object.extend(bytes);
            match outcome {
                Outcome::More(more) => saved = more.checkpoint,
                Outcome::Done(_) => return Ok(object),
            }
        }
    }

    /// The first checkpoint.
    pub fn start(&self, snapshot: &Snapshot, policy: &str) -> Result<String, ExportError> {
        let store = self.store(snapshot, policy, Object::default());
        self.call(store, "start", (Options::new("sql", 4096),))
    }

    /// A slice of so many parts in a new instance, and what it wrote.
    pub fn slice(
        &self,
        snapshot: &Snapshot,
        policy: &str,
        from: &str,
        parts: u32,
    ) -> Result<(Outcome, Vec<u8>), ExportError> {
        let object = Object::default();
        let store = self.store(snapshot, policy, object.clone());
        let outcome = self.call(store, "resume", (from, Budget { parts }))?;
        Ok((outcome, std::mem::take(&mut object.0.lock().unwrap())))
    }

    fn store(&self, snapshot: &Snapshot, policy: &str, object: Object) -> Store<State> {
        let ctx = PipeCtx::builder().build(snapshot.clone(), object);
        let state = State { ctx, table: ResourceTable::new(), policy: policy.to_owned() };
        let mut store = Store::new(&self.engine, state);
        limit(&mut store);
        store
    }

    fn call<P, R>(&self, mut store: Store<State>, name: &str, with: P) -> Result<R, ExportError>
    where
        P: ComponentNamedList + Lower,
        R: Lift + 'static,
        (Result<R, ExportError>,): ComponentNamedList + Lift,
    {
        let instance = self.instance.instantiate(&mut store).unwrap();
        let exporter =
            instance.get_export_index(&mut store, None, "partway:pipe/exporter@0.1.0").unwrap();
        let function = instance.get_export_index(&mut store, Some(&exporter), name).unwrap();
        let function =
            instance.get_typed_func::<P, (Result<R, ExportError>,)>(&mut store, function).unwrap();
        function.call(&mut store, with).unwrap().0
    }
}
