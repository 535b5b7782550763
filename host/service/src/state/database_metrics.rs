//! What is counted and measured of each database: how its exports ended, its schedule, its callbacks. All metrics have the
//! label `database`, and those of schedules their `options`.

use jiff::Timestamp;
use partway_jobs::{ExportResult, LastGood, ScheduleEntry};
use prometheus::{CounterVec, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::metrics::register;

/// How exports end.
const RESULTS: [&str; 4] = ["done", "incomplete", "failed", "cancelled"];

/// What came of a schedule when an export was due.
#[derive(Debug, Clone, Copy)]
pub enum ScheduleRun {
    /// It started an export.
    Started,
    /// None was needed, or the previous one is not finished.
    Skipped,
    /// It could not start one, and tries again.
    Failed,
}

impl ScheduleRun {
    const ALL: [Self; 3] = [Self::Started, Self::Skipped, Self::Failed];

    fn label(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What came of sending a callback.
#[derive(Debug, Clone, Copy)]
pub enum CallbackResult {
    /// The receiver has accepted it.
    Delivered,
    /// It has not, and the callback is sent again.
    Failed,
    /// It has not, and the callback is not sent again.
    GivenUp,
}

impl CallbackResult {
    const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::GivenUp];

    fn label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// What the job file says of the exports of a database to the store.
#[derive(Debug, Default)]
pub struct SavedNumbers {
    pub results: Vec<ExportResult>,
    pub last_good: Option<LastGood>,
    /// The schedules, by their options; none: not saved yet.
    pub schedules: Vec<(String, Option<ScheduleEntry>)>,
    pub waiting_callbacks: u64,
}

/// The metrics of each database.
pub struct DatabaseMetrics {
    exports: IntCounterVec,
    object_bytes: IntCounterVec,
    export_seconds: CounterVec,
    last_ended: GaugeVec,
    good_at: GaugeVec,
    good_bytes: IntGaugeVec,
    good_seconds: GaugeVec,
    schedules: ScheduleMetrics,
    callbacks: CallbackMetrics,
}

struct ScheduleMetrics {
    last: GaugeVec,
    next: GaugeVec,
    runs: IntCounterVec,
}

struct CallbackMetrics {
    sent: IntCounterVec,
    waiting: IntGaugeVec,
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<GaugeVec> {
    register(registry, GaugeVec::new(Opts::new(name, help), labels)?)
}

fn whole_gauges(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGaugeVec> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), &["database"])?)
}

impl ScheduleMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            last: gauges(
                registry,
                "partway_schedule_last_run_timestamp_seconds",
                "When the schedule last started an export, or skipped one, in seconds since 1970; 0: never",
                &["database", "options"],
            )?,
            next: gauges(
                registry,
                "partway_schedule_next_run_timestamp_seconds",
                "When the next scheduled export is due, in seconds since 1970",
                &["database", "options"],
            )?,
            runs: counters(
                registry,
                "partway_schedule_runs_total",
                "What came of scheduled exports that were due; failed: it could not be started",
                &["database", "options", "result"],
            )?,
        })
    }
}

impl CallbackMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            sent: counters(
                registry,
                "partway_callbacks_total",
                "Callbacks that were sent; failed: sent again later; given_up: never sent again",
                &["database", "result"],
            )?,
            waiting: whole_gauges(
                registry,
                "partway_callbacks_waiting",
                "Callbacks of exports that have ended, which are still to be delivered",
            )?,
        })
    }
}

impl DatabaseMetrics {
    /// With nothing counted yet.
    ///
    /// # Errors
    ///
    /// If a metric has the name of another.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let seconds = Opts::new(
            "partway_export_seconds_total",
            "Seconds that exports took which have ended, whichever process ran them",
        );
        Ok(Self {
            exports: counters(
                registry,
                "partway_exports_total",
                "Exports that have ended, whichever process ran them; incomplete: rows are missing",
                &["database", "state"],
            )?,
            object_bytes: counters(
                registry,
                "partway_object_bytes_total",
                "Bytes of the objects that exports have made, whichever process ran them",
                &["database"],
            )?,
            export_seconds: register(registry, CounterVec::new(seconds, &["database"])?)?,
            last_ended: gauges(
                registry,
                "partway_last_export_timestamp_seconds",
                "When an export last ended in this state, in seconds since 1970; 0: never",
                &["database", "state"],
            )?,
            good_at: gauges(
                registry,
                "partway_last_good_export_timestamp_seconds",
                "When the last complete export of all tables ended, or its database was last found unchanged since, in \
                 seconds since 1970; 0: never",
                &["database"],
            )?,
            good_bytes: whole_gauges(
                registry,
                "partway_last_good_export_bytes",
                "Bytes of the last complete export of all tables",
            )?,
            good_seconds: gauges(
                registry,
                "partway_last_good_export_duration_seconds",
                "Seconds that the last complete export of all tables took",
                &["database"],
            )?,
            schedules: ScheduleMetrics::new(registry)?,
            callbacks: CallbackMetrics::new(registry)?,
        })
    }

    /// A scheduled export was due.
    pub fn schedule_ran(&self, database: &str, options: &str, run: ScheduleRun) {
        self.schedules.runs.with_label_values(&[database, options, run.label()]).inc();
    }

    /// A callback was sent.
    pub fn callback_sent(&self, database: &str, result: CallbackResult) {
        self.callbacks.sent.with_label_values(&[database, result.label()]).inc();
    }

    /// Sets what the job file says of a database. What has not happened yet is a zero, and not missing.
    pub fn set_saved(&self, database: &str, saved: &SavedNumbers) {
        let only = &[database];
        let (mut bytes, mut seconds) = (0, 0.0);
        for state in RESULTS {
            let found = saved.results.iter().find(|found| found.result == state);
            let counter = self.exports.with_label_values(&[database, state]);
            counter.reset();
            counter.inc_by(found.map_or(0, |found| found.exports));
            let last = found.map(|found| found.last_at);
            self.last_ended.with_label_values(&[database, state]).set(unix_seconds(last));
            seconds += found.map_or(0.0, |found| found.seconds);
            if matches!(state, "done" | "incomplete") {
                bytes += found.map_or(0, |found| found.bytes);
            }
        }
        let total = self.object_bytes.with_label_values(only);
        total.reset();
        total.inc_by(bytes);
        let total = self.export_seconds.with_label_values(only);
        total.reset();
        total.inc_by(seconds);
        let good = saved.last_good.as_ref();
        self.good_at.with_label_values(only).set(unix_seconds(good.map(|good| good.good_at)));
        if let Some(good) = good {
            let bytes = i64::try_from(good.bytes).unwrap_or(i64::MAX);
            self.good_bytes.with_label_values(only).set(bytes);
            self.good_seconds.with_label_values(only).set(good.seconds);
        }
        for (options, entry) in &saved.schedules {
            for run in ScheduleRun::ALL {
                self.schedules.runs.with_label_values(&[database, options, run.label()]);
            }
            if let Some(ScheduleEntry { last_at, next_at, .. }) = entry {
                let of_schedule = &[database, options];
                self.schedules.last.with_label_values(of_schedule).set(unix_seconds(*last_at));
                let next = unix_seconds(Some(*next_at));
                self.schedules.next.with_label_values(of_schedule).set(next);
            }
        }
        for result in CallbackResult::ALL {
            self.callbacks.sent.with_label_values(&[database, result.label()]);
        }
        let waiting = i64::try_from(saved.waiting_callbacks).unwrap_or(i64::MAX);
        self.callbacks.waiting.with_label_values(only).set(waiting);
    }
}

/// A time as Prometheus has it; 0 where there is none.
fn unix_seconds(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0)
}
