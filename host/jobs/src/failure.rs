//! Why a step of a job failed, and what is to be done about it.

use std::time::Duration;

use crate::job::JobError;
use partway_sqlite::OpenError;
use partway_store::PartSizeError;
use partway_store::{AddressError, StoreError};
use partway_wasmtime::exporter::ExportError as Error;
use partway_wasmtime::{CallError, LoadError};

/// Why a step of a job failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The slice, or what comes before and after it.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The component can't be loaded.
    #[error("the component {component} can't be used for an export: {source}")]
    Load {
        /// Its path, or a word for the one inside the program.
        component: String,
        /// Why not.
        source: LoadError,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The part size won't do.
    #[error(transparent)]
    PartSize(#[from] PartSizeError),
    /// The step took too long.
    #[error("it was cut off after {} s", .0.as_secs())]
    CutOff(Duration),
    /// The database is not as it was, and its state was not kept.
    #[error("the database has changed since")]
    Changed,
    /// So too, and it is not to start over.
    #[error(
        "the database has changed since it was cut off, and what it had is thrown away: export again"
    )]
    MayNotStartOver,
    /// The checkpoint is another component's.
    #[error("it was begun with another component")]
    OtherComponent,
    /// The environment leads to another store than the job was begun in.
    #[error(
        "it was begun in {begun}, and the environment now leads to {found}: set AWS_ENDPOINT_URL as it was"
    )]
    OtherStore {
        /// Where the job was begun.
        begun: String,
        /// Where the same address leads now.
        found: String,
    },
    /// It was begun anew too often.
    #[error("it was begun {starts} times, the last time because {reason}")]
    TooManyStarts {
        /// How often.
        starts: u32,
        /// Why it would have to be begun again.
        reason: String,
    },
    /// Another process has taken the job over.
    #[error("another process has taken it over")]
    LeaseLost,
}

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The step may go well another time.
    TryAgain,
    /// So too, if there is anything to lose: database and store were there, and let us in. Keys expire and are renewed,
    /// and disks are mounted again.
    TryAgainIfBegun,
    /// This process can't go on with it, for reasons of its environment; another may.
    LeaveAsItIs,
    /// The export may go well from its start.
    StartOver,
    /// It may go well from its start if what is damaged is left out.
    SkipDamaged,
    /// There was nothing wrong: somebody wanted an end.
    Stop,
    /// The job is another process' business.
    LetGo,
    /// Nothing helps.
    GiveUp,
}

impl StepError {
    /// Whether the request asks for what there is not: a table, a format, a part size.
    pub fn is_wrong_request(&self) -> bool {
        match self {
            Self::PartSize(_) => true,
            Self::Job(JobError::Call(CallError::Exporter(error))) => {
                matches!(error, Error::InvalidOptions(_))
            }
            _ => false,
        }
    }

    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Job(error) if error.is_interrupted() => Remedy::Stop,
            Self::Job(error) if error.is_damage() => Remedy::SkipDamaged,
            Self::Job(JobError::Store(
                StoreError::UploadGone { .. } | StoreError::Taken { .. },
            ))
            | Self::Job(JobError::Damaged)
            | Self::Job(JobError::Call(CallError::Exporter(Error::InvalidCheckpoint(_))))
            | Self::Changed
            | Self::OtherComponent => Remedy::StartOver,
            Self::Job(error) if error.may_pass() => Remedy::TryAgain,
            Self::Job(JobError::Store(
                StoreError::Refused { .. } | StoreError::NotFound { .. },
            )) => Remedy::TryAgainIfBegun,
            Self::Open(
                OpenError::NotFound { .. }
                | OpenError::Permission { .. }
                | OpenError::NeedsWrite { .. },
            ) => Remedy::TryAgainIfBegun,
            Self::OtherStore { .. } | Self::Address(_) | Self::Load { .. } => Remedy::LeaveAsItIs,
            Self::Open(
                OpenError::Busy { .. } | OpenError::Other { .. } | OpenError::Copy { .. },
            )
            | Self::CutOff(_) => Remedy::TryAgain,
            Self::LeaseLost => Remedy::LetGo,
            _ => Remedy::GiveUp,
        }
    }
}
