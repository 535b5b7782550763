//! What jobs need from outside: components and stores.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use partway_store::{AddressError, Store, StoreAddress};
use partway_wasmtime::LoadError;
use partway_wasmtime::exporter::Exporter;

/// Where components and stores come from.
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
}

/// The component that comes with this crate, and stores as their addresses say.
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
