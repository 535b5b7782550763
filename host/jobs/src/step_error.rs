//! Why a step of a job failed.

use std::path::PathBuf;
use std::time::Duration;

use partway_sqlite::{FilterError, OpenError};
use partway_store::{AddressError, PartSizeError, StoreError};
use partway_wasmtime::exporter::ExportError;
use partway_wasmtime::{CallError, LoadError};

use crate::chosen_tables::TableError;
use crate::job_error::JobError;

/// Why a step of a job failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The slice, or what comes before and after it.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A condition on rows can't be used.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The database was there when the job began, and is gone with all that was in its folder.
    #[error(
        "there is no database {}, and nothing else is in its folder: mount its disk again, if that is not mounted",
        .0.display()
    )]
    Unmounted(PathBuf),
    /// The component can't be loaded.
    #[error("the component {component} can't be used for an export: {source}")]
    Load {
        /// Its path, or `inside the program` for the default one.
        component: String,
        /// Why not.
        source: LoadError,
    },
    /// The tables of a job that makes one object of each can't be chosen.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// The store can't be opened.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The part size can't be used.
    #[error(transparent)]
    PartSize(#[from] PartSizeError),
    /// The step took too long.
    #[error("the step timed out after {} s", .0.as_secs())]
    CutOff(Duration),
    /// The database has changed, and its state was not kept.
    #[error("the database has changed since")]
    Changed,
    /// The same, and the request does not allow starting over
    /// ([`OnChange::Fail`](crate::OnChange::Fail)).
    #[error(
        "the database has changed since the export was interrupted, and the uploaded parts are discarded: \
         export it again from the start"
    )]
    MayNotStartOver,
    /// The checkpoint belongs to another component.
    #[error("it was started with another component")]
    OtherComponent,
    /// The environment points to a store other than the one the job was started in.
    #[error("it was started in {begun}, and the environment now points to {found}")]
    OtherStore {
        /// Where the job was started.
        begun: String,
        /// Where the same address points now.
        found: String,
    },
    /// It has started over too often.
    #[error("it was started {starts} times, the last time because {reason}")]
    TooManyStarts {
        /// How often it was started.
        starts: u32,
        /// Why it would have to start over once more.
        reason: String,
    },
    /// Another process has taken over the job.
    #[error("another process has taken it over")]
    LeaseLost,
}

impl StepError {
    /// Whether the request names something that does not exist: a table, a format, a part size.
    pub fn is_wrong_request(&self) -> bool {
        match self {
            Self::PartSize(_) => true,
            Self::Tables(error) => !matches!(error, TableError::Schema(_)),
            Self::Filter(error) => !matches!(error, FilterError::Read(_)),
            Self::Job(JobError::Codec(error)) => error.is_wrong_request(),
            Self::Job(JobError::Call(CallError::Exporter(error))) => {
                matches!(error, ExportError::InvalidOptions(_))
            }
            _ => false,
        }
    }

    /// Whether the store or the component that the request names is not there, or can't be one.
    pub fn is_wrong_place(&self) -> bool {
        match self {
            Self::Load { source, .. } => source.is_wrong_file(),
            Self::Job(JobError::Store(error)) => matches!(error, StoreError::NotFound { .. }),
            _ => false,
        }
    }

    /// The step was asked to stop.
    pub(crate) fn interrupted() -> Self {
        Self::Job(JobError::Call(CallError::Exporter(ExportError::Interrupted)))
    }

    /// A thread that did some of the work has panicked.
    pub(crate) fn panicked(error: &tokio::task::JoinError) -> Self {
        Self::Job(JobError::Call(CallError::Trap(error.to_string())))
    }
}
