//! A job that this process has the lease on: the resources it works with, and each of its steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use partway_manifest::manifest_name;
use partway_sqlite::Expected;
use partway_store::{SLOWEST_UPLOAD_BYTES_PER_SECOND, Store, StoreError, numbered_name, part_size};
use partway_wasmtime::Counters;
use partway_wasmtime::exporter::{Budget, Exporter};
use tokio_util::sync::CancellationToken;

use crate::blocking::spawn_blocking;
use crate::chosen_tables::{ChosenTables, chosen_tables};
use crate::job::Job;
use crate::job_error::JobError;
use crate::job_store::JobStore;
use crate::lease::Lease;
use crate::manifest::{ListingLengths, ManifestDetails, NoManifest, is_name_free};
use crate::object_name::default_name;
use crate::object_set::{
    Completed, ObjectSet, Place, complete_set, delete_completed, find_completed_set,
};
use crate::observer::{JobEvent, Observer};
use crate::options::options;
use crate::pacing::SlicePacing;
use crate::record::{JobRecord, JobState};
use crate::resources::Resources;
use crate::set_names::{default_set_name, set_name, table_object_name};
use crate::snapshots::remove_copies;
use crate::source::Source;
use crate::state_error::StateError;
use crate::step_error::StepError;
use crate::subset::{expected_under, without_excluded};
use crate::totals::{Finished, Totals};

/// How long a slice may take beyond its time, not counting its parts.
const SLICE_OVERTIME: Duration = Duration::from_secs(60);

/// A job that this process has the lease on.
pub(crate) struct ActiveJob {
    pub(crate) lease: Lease,
    /// As it was last saved.
    pub(crate) record: JobRecord,
    /// The object that it is at.
    pub(crate) job: Option<Job>,
    /// All of its objects, if it makes one of each table.
    pub(crate) set: Option<ObjectSet>,
    pub(crate) counters: Arc<Counters>,
    /// Cancelled with the job.
    pub(crate) cancel: CancellationToken,
    /// Why it failed, if it failed in this process.
    pub(crate) failure: Option<StepError>,
    /// Why the data of an earlier start could not be deleted from the store, if it could not.
    pub(crate) upload_left: Option<StoreError>,
    /// Why there is no manifest beside the object, if there is none.
    pub(crate) no_manifest: Option<NoManifest>,
    store: Option<Arc<dyn Store>>,
    source: Option<(Exporter, Arc<dyn Source>)>,
}

/// The result of a step; it takes effect when it is saved.
pub(crate) enum StepResult {
    /// The upload has begun, of the first object or of the only one.
    Begun(Box<Job>, Option<ObjectSet>, Expected),
    /// The upload of the next object has begun.
    BegunNext(Box<Job>),
    /// A slice is done, after this many parts.
    Sliced { before: ListingLengths },
    /// The object has appeared; or a manifest, and the objects that it is of.
    Completed(Completed),
    /// The data in the store has been deleted, or can't be.
    CleanedUp(Result<(), StoreError>),
}

/// Why a step failed: for its own reasons, or because of the job store.
pub(crate) enum StepFailure {
    Step(StepError),
    State(StateError),
}

impl<E: Into<StepError>> From<E> for StepFailure {
    fn from(error: E) -> Self {
        Self::Step(error.into())
    }
}

impl From<StateError> for StepFailure {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl ActiveJob {
    pub(crate) fn new(lease: Lease, record: JobRecord) -> Self {
        let cancel = CancellationToken::new();
        if record.cancel_requested {
            cancel.cancel();
        }
        Self {
            lease,
            record,
            job: None,
            set: None,
            counters: Arc::default(),
            cancel,
            failure: None,
            upload_left: None,
            no_manifest: None,
            store: None,
            source: None,
        }
    }

    /// Starts over, as saved. The old job is kept only for its upload.
    pub(crate) fn start_over(&mut self, record: JobRecord) {
        self.record = record;
        if let Some(job) = &mut self.job {
            job.ended = false;
        }
        self.source = None;
        self.counters = Arc::default();
    }

    /// Goes on to the next object, when that is saved.
    pub(crate) fn go_on_to(&mut self, next: Job) {
        let ended = self.job.replace(next);
        if let Some(set) = &mut self.set {
            set.ended.extend(ended);
        }
    }

    /// Deletes the data of an object that is not the job's yet; why that did not succeed, if it did not.
    pub(crate) async fn abort_object(&self, job: &Job) -> Option<StoreError> {
        let store = self.store.as_ref()?;
        job.abort(store).await.err()
    }

    /// Closes the database: it is opened again for the next step.
    pub(crate) fn close_source(&mut self) {
        self.source = None;
    }

    /// How long the next step may take; none: as long as it takes.
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        let (JobState::Running, Some(job), Some(store)) =
            (self.record.state, &self.job, &self.store)
        else {
            return None;
        };
        let on_their_way = u64::from(job.part_size()) * (store.limits().in_flight as u64 + 1);
        let pace = &self.record.request.pace;
        let upload = Duration::from_secs(on_their_way / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        Some(pace.slice_time.saturating_add(SLICE_OVERTIME).saturating_add(upload))
    }

    /// Opens the resources for the next step. True if its slices begin in this process.
    pub(crate) async fn prepare(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
    ) -> Result<bool, StepFailure> {
        self.open_store(resources.as_ref())?;
        if self.job.is_none() {
            (self.job, self.set) = jobs.load(&self.record)?;
        }
        if self.source.as_ref().is_some_and(|(_, source)| source.is_lost()) {
            self.close_source();
        }
        if self.record.state != JobState::Running || self.source.is_some() {
            return Ok(false);
        }
        self.reopen_source(jobs, resources).await?;
        Ok(true)
    }

    /// Runs the step that the job's state calls for.
    pub(crate) async fn step(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
        stop: &CancellationToken,
        now: Timestamp,
    ) -> Result<StepResult, StepFailure> {
        match self.record.state {
            JobState::Waiting => self.begin(jobs, resources, stop, now).await,
            JobState::Running if self.is_at_next() => self.begin_next(jobs).await,
            JobState::Running => Ok(self.slice(stop).await?),
            JobState::Completing => {
                let completed = self.complete().await?;
                remove_copies(jobs, &self.record.id);
                self.no_manifest = self.write_manifest(&completed.finished).await.err();
                Ok(StepResult::Completed(completed))
            }
            _ => self.clean_up(jobs).await,
        }
    }

    /// Writes the manifest, if there is to be one. If not, the object has none.
    async fn write_manifest(&self, finished: &Finished) -> Result<(), NoManifest> {
        // That of a set is the job's result, and is there.
        let (Some(store), Some(job), None) = (&self.store, &self.job, &self.set) else {
            return Ok(());
        };
        if !self.record.request.manifest {
            return job.delete_manifest(store, finished).await;
        }
        job.write_manifest(store, finished, &ManifestDetails::of(&self.record)).await
    }

    /// Deletes the data in the store, unless the object has appeared after all.
    async fn clean_up(&mut self, jobs: &JobStore) -> Result<StepResult, StepFailure> {
        remove_copies(jobs, &self.record.id);
        Ok(match self.abort_unless_complete(jobs).await? {
            Ok(Some(completed)) => {
                self.no_manifest = self.write_manifest(&completed.finished).await.err();
                StepResult::Completed(completed)
            }
            Ok(None) => StepResult::CleanedUp(Ok(())),
            Err(error) => StepResult::CleanedUp(Err(error)),
        })
    }

    /// Deletes the data in the store, unless it has become the object: then that is returned.
    async fn abort_unless_complete(
        &mut self,
        jobs: &JobStore,
    ) -> Result<Result<Option<Completed>, StoreError>, StateError> {
        // A store may know an object of this job only by its upload being gone, and that may be this job's own doing.
        let is_taken = match self.is_name_taken().await {
            Ok(is_taken) => is_taken,
            Err(error) => return Ok(Err(error)),
        };
        match self.find_completed().await {
            Ok(None) => {}
            found => return Ok(found),
        }
        if let (Some(_), Some(store)) = (&self.set, &self.store)
            && self.is_last_ended()
            && let Err(error) = delete_completed(store, &self.record, &self.objects()).await
        {
            return Ok(Err(error));
        }
        if let (true, Some(job)) = (is_taken, &mut self.job) {
            // It is another's, and so is all that is found there later.
            jobs.save_not_complete(&self.lease, job)?;
        }
        match self.abort().await {
            Ok(true) => Ok(Ok(None)),
            // It was deleted before. Or a process that has lost the job was about to complete it, and has.
            Ok(false) => Ok(self.find_completed().await),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Whether there is an object of a name that one of this job's is to have; false if it can't be this job's.
    async fn is_name_taken(&self) -> Result<bool, StoreError> {
        let Some(store) = self.store.as_ref().filter(|_| self.is_last_ended()) else {
            return Ok(false);
        };
        for job in self.objects() {
            match store.stat(&job.upload.name).await {
                Ok(_) => return Ok(true),
                Err(StoreError::NoObject { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Makes the object appear, or all of them.
    async fn complete(&self) -> Result<Completed, StepError> {
        let (store, job) = (self.opened_store()?, self.loaded_job()?);
        if self.set.is_some() {
            return complete_set(store, &self.record, &self.objects()).await;
        }
        Ok(Completed { finished: job.complete(store).await?, objects: Vec::new() })
    }

    /// The result, if the object has appeared, or all of them.
    async fn find_completed(&self) -> Result<Option<Completed>, StoreError> {
        let (Some(store), Some(job)) = (&self.store, &self.job) else { return Ok(None) };
        if self.set.is_none() {
            let found = job.find_completed(store).await?;
            return Ok(found.map(|finished| Completed { finished, objects: Vec::new() }));
        }
        match self.is_last_ended() {
            true => find_completed_set(store, &self.record, &self.objects()).await,
            false => Ok(None),
        }
    }

    /// Deletes the data in the store; false: some of it, or all, is not there.
    pub(crate) async fn abort(&self) -> Result<bool, StoreError> {
        let (Some(store), false) = (&self.store, self.objects().is_empty()) else {
            return Ok(false);
        };
        // All are tried, whatever becomes of the first.
        let mut were_there = Ok(true);
        for job in self.objects() {
            let was_there = job.abort(store).await;
            were_there = were_there.and_then(|others| Ok(others & was_there?));
        }
        were_there
    }

    /// Its objects that have begun.
    fn objects(&self) -> Vec<&Job> {
        let ended = self.set.iter().flat_map(|set| &set.ended);
        ended.chain(&self.job).collect()
    }

    fn is_last_ended(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_last_ended)
    }

    /// Whether the slices of an object are done, and there are others after it.
    fn is_at_next(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.ended && job.place.has_next)
    }

    /// Why it is failing; none if it is not.
    pub(crate) fn failing_reason(&self) -> Option<&str> {
        let is_failing = self.record.state == JobState::Failing;
        self.record.last_error.as_deref().filter(|_| is_failing)
    }

    /// Where the object is, or will be.
    pub(crate) fn location(&self) -> String {
        match (&self.store, &self.record.object) {
            (Some(store), Some(object)) => store.location(object),
            _ => self.record.store.clone(),
        }
    }

    /// Reports that its slices begin in this process.
    pub(crate) fn report_running(&self, observer: &dyn Observer) {
        if let Some(job) = &self.job {
            let event = JobEvent::Running {
                location: &self.location(),
                totals: &job.totals_so_far(),
                expected: self.record.expected,
                counters: &self.counters,
            };
            observer.event(&self.lease.id, &event);
        }
    }

    fn open_store(&mut self, resources: &dyn Resources) -> Result<(), StepError> {
        if self.store.is_some() {
            return Ok(());
        }
        let address = &self.record.request.store;
        let found = address.identity();
        if found != self.record.store {
            return Err(StepError::OtherStore { begun: self.record.store.clone(), found });
        }
        self.store = Some(resources.store(address)?);
        Ok(())
    }

    /// Opens the database, and checks that it is in the state that the job began to export.
    async fn reopen_source(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
    ) -> Result<(), StepError> {
        let exporter = self.exporter(resources).await?;
        let job = self.loaded_job()?;
        if job.component != exporter.digest() {
            return Err(StepError::OtherComponent);
        }
        let copy = jobs.copy_path(&self.record.id);
        let source = resources.reopen_source(&self.record.request, &copy).await?;
        if job.fingerprint.is_none() || job.fingerprint != source.fingerprint() {
            return Err(StepError::Changed);
        }
        for job in self.objects() {
            let checked = self.opened_store()?.check_upload(&job.upload, job.totals.bytes).await;
            checked.map_err(JobError::from)?;
        }
        self.source = Some((exporter, source));
        Ok(())
    }

    async fn begin(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
        stop: &CancellationToken,
        now: Timestamp,
    ) -> Result<StepResult, StepFailure> {
        // What an earlier start has left. Where this does not help either, pruning does.
        self.upload_left = self.abort().await.err();
        let exporter = self.exporter(resources).await?;
        let store = self.opened_store()?.clone();
        let (wanted, each_table) = (self.wanted_name(now), self.record.request.each_table);
        let name = self.take_name(jobs, &store, &wanted).await?;
        remove_copies(jobs, &self.record.id);
        let (request, copy) = (&self.record.request, jobs.copy_path(&self.record.id));
        // A copy may take minutes, and is of no use before it is whole.
        let source = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(StepError::interrupted().into()),
            () = self.cancel.cancelled() => return Err(StepError::interrupted().into()),
            source = resources.open_source(request, &copy) => source?,
        };
        let part_size = part_size(request.part_size, source.bytes(), store.limits())
            .map_err(StepError::from)?;
        let of_request = (request.tables.clone(), request.settings.clone());
        let expected = async |(tables, settings): (Vec<String>, Vec<(String, String)>)| {
            let source = source.clone();
            let expected = move || expected_under(&*source, &tables, &settings);
            spawn_blocking(expected).await.unwrap_or_default()
        };
        if !each_table {
            let expected = expected(of_request).await;
            let options = options(&self.record, None, part_size);
            let encoding = &request.encoding;
            let job = Job::begin_named(&exporter, &*source, &store, &name, options, encoding)
                .await
                .map_err(StepError::from)?;
            self.source = Some((exporter, source));
            return Ok(StepResult::Begun(Box::new(job), None, expected));
        }
        let (set, warnings) = self.chosen_set(&exporter, &source, part_size).await?;
        let expected = expected((set.tables.clone(), without_excluded(&of_request.1))).await;
        let place = set.place(1, Totals { warnings, ..Totals::default() });
        self.source = Some((exporter, source));
        let job = self.begin_object(jobs, &name, place, part_size).await?;
        Ok(StepResult::Begun(Box::new(job), Some(set), expected))
    }

    /// The objects to make, one of each table, and what is left out.
    async fn chosen_set(
        &self,
        exporter: &Exporter,
        source: &Arc<dyn Source>,
        part_size: u32,
    ) -> Result<(ObjectSet, Vec<String>), StepError> {
        let (exporter, source) = (exporter.clone(), source.clone());
        let record = self.record.clone();
        let chosen = spawn_blocking(move || {
            let mut chosen = chosen_tables(&*source, &record.request)?;
            // One that leaves tables out, by a policy, does not have them.
            if record.request.component.is_some() {
                chosen.retain(&record.request.tables, |table| {
                    exporter.start(source.rows(), &options(&record, Some(table), part_size))
                })?;
            }
            Ok::<_, StepError>(chosen)
        });
        let ChosenTables { tables, warnings } =
            chosen.await.map_err(|error| StepError::panicked(&error))??;
        Ok((ObjectSet { tables, ended: Vec::new() }, warnings))
    }

    /// Begins the object of the next table.
    async fn begin_next(&mut self, jobs: &JobStore) -> Result<StepResult, StepFailure> {
        let job = self.loaded_job()?;
        let Some(set) = &self.set else { return Err(JobError::Damaged.into()) };
        let (before, part_size) = (job.totals_so_far(), job.part_size());
        let place = set.place(job.place.number + 1, before);
        let name = self.record.object.clone().unwrap_or_default();
        let job = self.begin_object(jobs, &name, place, part_size).await?;
        Ok(StepResult::BegunNext(Box::new(job)))
    }

    /// Begins the object of a table. `manifest`: the name of the set's manifest.
    async fn begin_object(
        &self,
        jobs: &JobStore,
        manifest: &str,
        place: Place,
        part_size: u32,
    ) -> Result<Job, StepFailure> {
        let (store, request) = (self.opened_store()?, &self.record.request);
        let Some((exporter, source)) = &self.source else {
            return Err(StepError::LeaseLost.into());
        };
        let table = place.table.as_deref().unwrap_or_default();
        let set = set_name(manifest);
        let wanted = table_object_name(set, table, &request.format, &request.encoding);
        let mut taken = jobs.taken_names(&self.record.store, &self.record.id)?;
        // And by this job itself.
        taken.extend(self.objects().iter().map(|job| job.upload.name.clone()));
        taken.push(manifest.to_owned());
        let mut name = wanted.clone();
        let mut number = 1;
        while taken.contains(&name) || self.is_table_taken(&name).await? {
            number += 1;
            name = numbered_name(&wanted, number);
        }
        let options = options(&self.record, Some(table), part_size);
        let encoding = &request.encoding;
        let job = Job::begin_named(exporter, &**source, store, &name, options, encoding).await;
        Ok(Job { place, ..job.map_err(StepError::from)? })
    }

    /// The intended name of the object, unless it is taken.
    fn wanted_name(&self, now: Timestamp) -> String {
        let request = &self.record.request;
        let wanted = match &request.name {
            Some(name) => name.clone(),
            None if request.each_table => default_set_name(now),
            None => default_name(now, &request.format, &request.encoding),
        };
        // Nobody is to take one with gaps for a whole one.
        let wanted =
            if self.record.skips_damaged { format!("{wanted}.incomplete") } else { wanted };
        // A set is known by its manifest.
        if request.each_table { manifest_name(&wanted) } else { wanted }
    }

    /// The first name that is free in the store and not taken by another unfinished job.
    async fn take_name(
        &self,
        jobs: &JobStore,
        store: &Arc<dyn Store>,
        wanted: &str,
    ) -> Result<String, StepFailure> {
        let taken = jobs.taken_names(&self.record.store, &self.record.id)?;
        let mut number = 1;
        loop {
            let name = numbered_name(wanted, number);
            number += 1;
            if taken.contains(&name) || self.is_taken(store, &name).await? {
                continue;
            }
            if jobs.take_name(&self.lease, &name)? {
                return Ok(name);
            }
        }
    }

    /// Whether the object of a table can't have this name. An old manifest beside it would be taken for its own, and it has none.
    async fn is_table_taken(&self, name: &str) -> Result<bool, StepError> {
        let store = self.opened_store()?;
        for name in [name, &manifest_name(name)] {
            if store.is_taken(name).await.map_err(JobError::from)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the object can't have this name. A set is known by its manifest, which has none.
    async fn is_taken(&self, store: &Arc<dyn Store>, name: &str) -> Result<bool, JobError> {
        Ok(match self.record.request.each_table {
            true => store.is_taken(name).await?,
            false => !is_name_free(store, name).await?,
        })
    }

    async fn slice(&mut self, stop: &CancellationToken) -> Result<StepResult, StepError> {
        let (Some((exporter, source)), Some(store), Some(job)) =
            (&self.source, &self.store, &mut self.job)
        else {
            return Err(StepError::Changed);
        };
        let pace = &self.record.request.pace;
        let pacing = SlicePacing {
            until: Instant::now().checked_add(pace.slice_time),
            stop: stop.clone(),
            cancel: self.cancel.clone(),
        };
        let budget = Budget { parts: pace.slice_parts.unwrap_or(u32::MAX) };
        let before = job.listing.lengths();
        job.slice(exporter, &**source, store, pacing, budget, &self.counters).await?;
        Ok(StepResult::Sliced { before })
    }

    async fn exporter(&self, resources: &Arc<dyn Resources>) -> Result<Exporter, StepError> {
        let file = self.record.request.component.clone();
        let component = match &file {
            Some(path) => path.display().to_string(),
            None => "inside the program".to_owned(),
        };
        let (resources, format) = (resources.clone(), self.record.request.format.clone());
        match spawn_blocking(move || resources.exporter(&format, file.as_deref())).await {
            Ok(Ok(exporter)) => Ok(exporter),
            Ok(Err(source)) => Err(StepError::Load { component, source }),
            Err(error) => Err(StepError::panicked(&error)),
        }
    }

    fn opened_store(&self) -> Result<&Arc<dyn Store>, StepError> {
        self.store.as_ref().ok_or(StepError::LeaseLost)
    }

    fn loaded_job(&self) -> Result<&Job, StepError> {
        self.job.as_ref().ok_or(StepError::Job(JobError::Damaged))
    }
}
