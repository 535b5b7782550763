//! A job as it is saved: what was asked for, how far it is, what became of it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::ExportRequest;
use crate::totals::Totals;
use partway_sqlite::Expected;

/// A job that has got no further for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60 * 60);

/// A job's name: 16 hexadecimal digits, chosen at random.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub(crate) String);

impl JobId {
    /// The id of these digits; none where it can't be one.
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

/// Where a job stands: what its next step is to do, or how it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum JobState {
    /// To be begun.
    Waiting,
    /// Slice by slice.
    Running,
    /// All slices are done: the object is to appear.
    Completing,
    /// It has failed: what is in the store is to be thrown away.
    Failing,
    /// Somebody has asked to cancel it: what is in the store is to be thrown away.
    Cancelling,
    /// The object is there.
    Done,
    /// There is no object, and the job says why.
    Failed,
    /// There is no object, as was asked for.
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

    /// The word for it.
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

/// The process that is at work on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process, by a random word.
    pub owner: String,
    /// When others may take the job over, if the process has not been heard of until then.
    pub until: Timestamp,
    /// Whether the process lives, as far as this machine can tell.
    pub is_alive: bool,
}

/// A job as it is saved, without what only resuming it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    /// Its name.
    pub id: JobId,
    /// Where it stands.
    pub state: JobState,
    /// What was asked for.
    pub request: ExportRequest,
    /// The store's name: the same however its address was spelled.
    pub store: String,
    /// The object's name in the store, once the upload begins.
    pub object: Option<String>,
    /// The size of parts, in bytes.
    pub part_size: Option<u32>,
    /// Whether it leaves out what is damaged, having met it.
    pub skips_damaged: bool,
    /// How far it is.
    pub totals: Totals,
    /// How far it is to come.
    pub expected: Expected,
    /// How often it was begun: more than once where it has started over.
    pub starts: u32,
    /// Failures since it last got further.
    pub attempts: u32,
    /// When its next step is due; none: it is finished.
    pub wake_at: Option<Timestamp>,
    /// Who is at work on it.
    pub holder: Option<Holder>,
    /// Whether it is to be cancelled.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last got further.
    pub moved_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Where the object is.
    pub location: Option<String>,
    /// The SHA-256 of the object, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Whether a schedule has made it.
    pub is_scheduled: bool,
    /// When its object was deleted.
    pub pruned_at: Option<Timestamp>,
}

impl JobRecord {
    /// Whether a process is at work on it.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.is_alive && holder.until > now)
    }

    /// Whether it should have got further within the last hour, and has not.
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        let still = Duration::try_from(now.duration_since(self.moved_at)).unwrap_or_default();
        !self.state.is_finished() && still > STUCK_AFTER
    }
}
