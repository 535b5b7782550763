//! A job as it is saved: the request, the progress and the result.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::incomplete::Incomplete;
use crate::request::ExportRequest;
use crate::totals::Totals;
use partway_sqlite::Expected;
use partway_store::ObjectVersion;
use partway_wasmtime::WorkDone;

/// A job that has made no progress for this long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60 * 60);

/// A job's id: 16 hexadecimal digits, chosen at random.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub(crate) String);

impl JobId {
    /// The id with these digits; none if it can't be an id.
    pub fn from_digits(text: &str) -> Option<Self> {
        let are_digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 16 && are_digits).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job's state: what its next step will do, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It has not begun.
    Waiting,
    /// It runs slice by slice.
    Running,
    /// All slices are done, and the object is about to appear.
    Completing,
    /// It has failed, and its data in the store is to be deleted.
    Failing,
    /// Its cancellation was requested, and its data in the store is to be deleted.
    Cancelling,
    /// The object has appeared.
    Done,
    /// There is no object, and the job says why.
    Failed,
    /// There is no object, as requested.
    Cancelled,
}

impl JobState {
    /// Every state.
    const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Running,
        Self::Completing,
        Self::Failing,
        Self::Cancelling,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether there is nothing left to do.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completing => "completing",
            Self::Failing => "failing",
            Self::Cancelling => "cancelling",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The process that is working on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process, by a random word.
    pub owner: String,
    /// When others may take over the job, if the process has not renewed its lease by then.
    pub until: Timestamp,
    /// Whether the process lives, as far as this machine can tell.
    pub is_alive: bool,
}

/// A job as it is saved, without what is needed only for resuming it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// The request.
    pub request: ExportRequest,
    /// The store's identity: the same however its address was written.
    pub store: String,
    /// The object's name in the store, once the upload begins.
    pub object: Option<String>,
    /// The size of parts, in bytes.
    pub part_size: Option<u32>,
    /// Whether it skips damaged data, after having found some.
    pub skips_damaged: bool,
    /// Its progress.
    pub totals: Totals,
    /// How much there was to export when it started, as estimated. [`JobRecord::expected`] knows better.
    pub expected: Expected,
    /// How often it was started: more than once if it has started over.
    pub starts: u32,
    /// Failures since its last progress.
    pub attempts: u32,
    /// When its next step is due; none: it is finished.
    pub wake_at: Option<Timestamp>,
    /// Who is working on it.
    pub holder: Option<Holder>,
    /// Whether it is to be cancelled.
    pub cancel_requested: bool,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it last made progress.
    pub moved_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Where the object is.
    pub location: Option<String>,
    /// The SHA-256 of the object, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The object's version in the store; none if the store does not tell objects apart, or the
    /// export ended before this was saved.
    pub object_version: Option<ObjectVersion>,
    /// The options of the schedule that created it; none: no schedule did.
    pub schedule: Option<String>,
    /// When its object was deleted.
    pub pruned_at: Option<Timestamp>,
}

impl JobRecord {
    /// What is missing in its object, although the export is done: the database is damaged. None: nothing is.
    pub fn incomplete(&self) -> Option<Incomplete> {
        let is_incomplete = self.state == JobState::Done && !self.totals.damaged.is_empty();
        is_incomplete.then(|| Incomplete::new(&self.totals.damaged))
    }

    /// How much there is to export: known once all is there, and no less than what is done.
    pub fn expected(&self) -> Expected {
        let Totals { tables, rows, weight, .. } = self.totals;
        if self.state == JobState::Done && self.incomplete().is_none() {
            return Expected { tables, rows, weight };
        }
        Expected {
            tables: self.expected.tables.max(tables),
            rows: self.expected.rows.max(rows),
            weight: self.expected.weight,
        }
    }

    /// Which share of it is done, from 0 to 1, when so much is: 1 only when all is. None: nobody knows.
    pub fn share(&self, done: WorkDone) -> Option<f64> {
        match self.state {
            JobState::Done => Some(1.0),
            _ => self.expected.share(done),
        }
    }

    /// Whether a process is working on it.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.is_alive && holder.until > now)
    }

    /// Whether it should have made progress within the last hour, but has not.
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        let still = Duration::try_from(now.duration_since(self.moved_at)).unwrap_or_default();
        !self.state.is_finished() && still > STUCK_AFTER
    }
}
