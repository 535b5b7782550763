//! Why something can't be done with an export, whoever wants it: a request or a background task.

use partway_jobs::{EachTableError, JobError, JobId, ObjectError, StateError, TableError};
use partway_sqlite::{FilterError, OpenError};
use partway_store::StoreError;
use partway_wasmtime::exporter::ExportError as ComponentError;
use partway_wasmtime::{CallError, LoadError};
use tokio::task::JoinError;

/// Why something can't be done with an export. The texts are for clients.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("there is no database {name:?}; available: {}", served.join(", "))]
    UnknownDatabase { name: String, served: Vec<String> },
    #[error("there is no export {0:?}: GET /exports lists all exports")]
    UnknownExport(String),
    #[error("this service has no store and keeps no exports: GET /export/dump streams each dump")]
    NoStore,
    #[error("the Idempotency-Key was used for another request, export {0}: use a new one")]
    KeyTaken(JobId),
    #[error("there are already {0} unfinished exports: wait for some to finish, or cancel them")]
    TooManyUnfinished(u64),
    #[error(transparent)]
    Jobs(#[from] StateError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the component inside the service can't be used")]
    Component(#[from] LoadError),
    #[error(transparent)]
    Exporter(#[from] CallError),
    #[error(transparent)]
    Stream(JobError),
    #[error(transparent)]
    Tables(TableError),
    #[error("the task ended unexpectedly: {0}")]
    Panicked(#[from] JoinError),
}

impl ExportError {
    /// Whether what was asked for makes no sense for its database, as long as nobody changes that.
    pub fn is_of_request(&self) -> bool {
        match self {
            Self::Filter(error) => !matches!(error, FilterError::Read(_)),
            Self::Tables(error) => !matches!(error, TableError::Schema(_)),
            Self::Exporter(CallError::Exporter(error)) => {
                matches!(error, ComponentError::InvalidOptions(_))
            }
            _ => false,
        }
    }
}

impl From<JobError> for ExportError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Call(error) => Self::Exporter(error),
            JobError::Store(error) => Self::Store(error),
            error => Self::Stream(error),
        }
    }
}

impl From<EachTableError> for ExportError {
    fn from(error: EachTableError) -> Self {
        match error {
            EachTableError::Tables(error) => Self::Tables(error),
            EachTableError::Start(error) => Self::Exporter(error),
        }
    }
}

impl From<ObjectError> for ExportError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Store(error) => Self::Store(error),
            ObjectError::Jobs(error) => Self::Jobs(error),
            ObjectError::Panicked(error) => Self::Panicked(error),
        }
    }
}
