//! A simulated process: a worker with its own connection to the jobs, which can die at any moment.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use partway_jobs::simulation::{CommitMoment, open_job_store};
use partway_jobs::{
    JobEvent, JobId, Observer, Prune, Resources, StateError, StepError, StepOutcome, Worker, prune,
};
use partway_store::{AddressError, FolderStore, Store, StoreAddress};
use partway_wasmtime::LoadError;
use partway_wasmtime::exporter::Exporter;
use tokio_util::sync::CancellationToken;

use super::bucket_store::BucketStore;
use super::checker::Checker;
use super::clock::{SimulatedClock, now};
use super::folder_store::GatedFolder;
use super::gate::View;
use super::plan::StoreKind;
use super::tally::Met;
use super::world::{Actor, World};

/// What is done in a step, until it ends with a word about how.
type Step = Pin<Box<dyn Future<Output = String>>>;

/// One life of a process, with the step that it does.
pub struct Host {
    pub actor: Actor,
    pub worker: Worker,
    pub step: Option<Step>,
    pub is_pruning: bool,
    view: View,
    resources: Arc<SimulatedResources>,
}

/// When an upload is old enough to be pruned.
pub const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Host {
    /// Begins a new life. None where it dies at once.
    pub fn begin(
        view: View,
        checker: &Arc<Checker>,
        exporter: &Exporter,
        state: &Path,
    ) -> Result<Self, StateError> {
        let (world, ground, actor) = (view.world.clone(), view.ground.clone(), view.actor);
        let checker = checker.clone();
        let jobs = open_job_store(state, move |moment| {
            if moment == CommitMoment::After {
                checker.committed(&world, &ground, actor);
            }
            may_go_on(&world, actor, moment)
        })?;
        let resources =
            Arc::new(SimulatedResources { view: view.clone(), exporter: exporter.clone() });
        let clock = SimulatedClock { world: view.world.clone(), host: actor.host };
        let watch = Watcher(view.world.clone());
        let worker = Worker::with_clock(jobs, resources.clone(), watch, Arc::new(clock))?;
        Ok(Self { actor, worker, step: None, is_pruning: false, view, resources })
    }

    /// Runs an alarm.
    pub fn alarm(&mut self, id: JobId, only_if_due: bool, is_stopped: bool) {
        self.view.world.lock().begin_step(self.actor.host);
        let (worker, world) = (self.worker.clone(), self.view.world.clone());
        self.is_pruning = false;
        self.step = Some(Box::pin(async move {
            let stop = CancellationToken::new();
            if is_stopped {
                stop.cancel();
            }
            match worker.step(&id, only_if_due, &stop).await {
                Ok(StepOutcome::Again(_)) => "again".to_owned(),
                Ok(StepOutcome::Stopped(_)) => "stopped".to_owned(),
                Ok(StepOutcome::Finished(record, _)) => record.state.to_string(),
                Ok(StepOutcome::Held) => "held".to_owned(),
                Ok(StepOutcome::NotDue) => "not due".to_owned(),
                Ok(StepOutcome::Refused(error)) => {
                    panic!("this process can do anything, but: {error}")
                }
                Ok(StepOutcome::Lost) => {
                    world.met(Met::LeaseLost);
                    "lease lost".to_owned()
                }
                Err(StateError::Failed { reason, .. }) if reason.starts_with("simulated") => {
                    "state failed".to_owned()
                }
                Err(error) => panic!("the jobs can't be used: {error}"),
            }
        }));
    }

    /// Prunes.
    pub fn prune(&mut self) {
        self.view.world.lock().begin_step(self.actor.host);
        let (jobs, resources) = (self.worker.jobs().clone(), self.resources.clone());
        let world = self.view.world.clone();
        self.is_pruning = true;
        self.step = Some(Box::pin(async move {
            let what = Prune {
                stores: Vec::new(),
                finished_for: Duration::MAX,
                uploads_older_than: A_DAY,
                dry_run: false,
            };
            let pruned = prune(&jobs, &*resources, now(&world), &what).await.expect("pruning");
            for _ in &pruned.uploads {
                world.met(Met::PrunedUpload);
            }
            format!("pruned {}, failed {}", pruned.uploads.len(), pruned.failures.len())
        }));
    }
}

/// Decides about a commit, by the seed and by which of the host's it is.
fn may_go_on(world: &World, actor: Actor, moment: CommitMoment) -> bool {
    if !world.is_alive(actor) {
        return false;
    }
    let mut state = world.lock();
    let is_calm = state.is_calm;
    let host = &mut state.hosts[actor.host];
    if moment == CommitMoment::Before {
        host.commits += 1;
    }
    let words = [2, actor.host as u64, host.commits, u64::from(moment == CommitMoment::After)];
    let mut dice = world.plan.dice(&words);
    if is_calm || dice.below(1000) >= world.plan.commit_faults {
        return true;
    }
    let crashes = dice.below(2) == 0;
    let met = match (moment, crashes) {
        (CommitMoment::Before, false) => Met::FailedCommit,
        (CommitMoment::Before, true) => Met::CrashBeforeCommit,
        (CommitMoment::After, false) => Met::LostCommit,
        (CommitMoment::After, true) => Met::CrashAfterCommit,
    };
    state.tally.add(met);
    state.hosts[actor.host].is_dead |= crashes;
    drop(state);
    world.trace(format!("h{}.{} {met:?}", actor.host, actor.life));
    false
}

/// Gives a host its view of the store, and the one component.
#[derive(Debug)]
struct SimulatedResources {
    view: View,
    exporter: Exporter,
}

impl Resources for SimulatedResources {
    fn store(&self, _: &StoreAddress) -> Result<Arc<dyn Store>, AddressError> {
        let view = self.view.clone();
        Ok(match view.world.plan.store {
            StoreKind::Bucket => Arc::new(BucketStore::new(view)),
            StoreKind::Folder => {
                let folder = FolderStore::new(&view.ground.folder);
                Arc::new(GatedFolder { view, folder })
            }
        })
    }

    fn exporter(&self, _: &str, _: Option<&Path>) -> Result<Exporter, LoadError> {
        Ok(self.exporter.clone())
    }
}

/// Counts what becomes of jobs.
struct Watcher(Arc<World>);

impl Observer for Watcher {
    fn event(&self, _: &JobId, event: &JobEvent<'_>) {
        match event {
            JobEvent::StartingOver { .. } => self.0.met(Met::StartedOver),
            JobEvent::Retrying { error, .. } => {
                self.0.met(Met::Retry);
                if let StepError::CutOff(_) = error {
                    self.0.met(Met::CutOff);
                }
            }
            JobEvent::UploadLeft(_) => self.0.met(Met::UploadLeft),
            _ => {}
        }
    }
}
