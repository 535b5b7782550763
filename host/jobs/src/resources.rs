//! What jobs need from outside: stores, components, and the databases they read.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use partway_store::{AddressError, Store, StoreAddress};
use partway_wasmtime::LoadError;
use partway_wasmtime::exporter::Exporter;

use crate::request::ExportRequest;
use crate::snapshots;
use crate::source::Source;
use crate::step_error::StepError;

/// Where a [`Worker`](crate::Worker) gets stores, components and sources. By default stores are opened as their addresses
/// say, and databases are SQLite files.
#[async_trait]
pub trait Resources: Debug + Send + Sync {
    /// Opens a store.
    ///
    /// # Errors
    ///
    /// Those of [`StoreAddress::open`].
    fn store(&self, address: &StoreAddress) -> Result<Arc<dyn Store>, AddressError> {
        address.open()
    }

    /// Gives the usual component, or another one out of a file.
    ///
    /// # Errors
    ///
    /// Those of [`Exporter::from_file`].
    fn exporter(&self, component: Option<&Path>) -> Result<Exporter, LoadError>;

    /// Opens the present state of a request's database, for an export that begins. By default this is a snapshot, kept
    /// as [`ExportRequest::snapshot`] says; where that needs a copy of the database, it is made at `copy`, and deleted
    /// with the job. Dropped before it returns, it leaves nothing open.
    ///
    /// # Errors
    ///
    /// [`StepError::Open`] by default. Which error it is decides whether the job tries again.
    async fn open_source(
        &self,
        request: &ExportRequest,
        copy: &Path,
    ) -> Result<Arc<dyn Source>, StepError> {
        snapshots::open(request, copy).await
    }

    /// Opens the database again, for an export that is resumed: by default the copy, where there is one, or else the
    /// database as it is now. Where its [fingerprint](Source::fingerprint) is another than when the export began, the
    /// export starts over or fails, by [`ExportRequest::on_change`].
    ///
    /// # Errors
    ///
    /// As [`Resources::open_source`].
    async fn reopen_source(
        &self,
        request: &ExportRequest,
        copy: &Path,
    ) -> Result<Arc<dyn Source>, StepError> {
        snapshots::reopen(request, copy).await
    }
}

/// The component that comes with this crate, stores as their addresses say, and SQLite files.
#[derive(Debug, Default)]
pub struct PrebuiltResources(std::sync::OnceLock<Exporter>);

impl Resources for PrebuiltResources {
    fn exporter(&self, component: Option<&Path>) -> Result<Exporter, LoadError> {
        match (component, self.0.get()) {
            (Some(file), _) => Exporter::from_file(file),
            (None, Some(exporter)) => Ok(exporter.clone()),
            (None, None) => {
                let exporter = Exporter::prebuilt()?;
                Ok(self.0.get_or_init(|| exporter).clone())
            }
        }
    }
}
