//! The interface `parts`: where the object goes.

use async_trait::async_trait;

pub use crate::bindings::parts::Error;

/// Where the object goes. `partway-store` implements it for folders, S3 and R2.
#[async_trait]
pub trait Parts: Send {
    /// Writes one part. Parts are numbered from 1. It may wait, to slow down a component that is
    /// faster than the store, and it may return before the bytes are safe; but the slice's
    /// checkpoint must not be stored until they are.
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), Error>;
}

#[async_trait]
impl Parts for Box<dyn Parts> {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), Error> {
        (**self).write(number, bytes).await
    }
}

/// Refuses all parts: starting an export writes none.
pub(crate) struct NoParts;

#[async_trait]
impl Parts for NoParts {
    async fn write(&mut self, _number: u32, _bytes: &[u8]) -> Result<(), Error> {
        Err(Error::Refused("no parts may be written when an export starts".to_owned()))
    }
}
