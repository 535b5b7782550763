//! Why a component can't be loaded, and why a call of it returned no result.

use std::io;
use std::path::Path;

use wasmtime::Trap;

use crate::bindings::exporter::Error;
use crate::context::PipeCtx;
use crate::limits::{Exceeded, Limiter, Limits};

/// Why a component could not be loaded. As a sentence about it: put its name before it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("it does not exist: check the name")]
    Missing,
    /// The file can't be read.
    #[error("it can't be read: {0}")]
    Read(io::Error),
    /// The bytes are not a WebAssembly component.
    #[error("it is not a WebAssembly component: {reason}")]
    NotAComponent {
        /// The compiler's reason.
        reason: String,
    },
    /// It is a component of another world: it imports something else, or does not export what the
    /// world does.
    #[error("it is a component, but not one of the world {world}: {reason}")]
    OtherWorld {
        /// The world that it should be of.
        world: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// WebAssembly can't be run on this machine with these settings.
    #[error("the WebAssembly engine can't be set up: {reason}")]
    Engine {
        /// The engine's reason.
        reason: String,
    },
}

/// The bytes of a component's file.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::Missing,
        _ => LoadError::Read(error),
    })
}

impl LoadError {
    /// Whether it is a matter of the file that was named.
    pub fn is_wrong_file(&self) -> bool {
        !matches!(self, Self::Engine { .. })
    }

    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { reason: format!("{error:#}") }
    }

    pub(crate) fn other_world(world: &'static str, error: &wasmtime::Error) -> Self {
        Self::OtherWorld { world, reason: format!("{error:#}") }
    }
}

/// Why a call of a component returned no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The component returned an error.
    #[error("{}", message(.0))]
    Exporter(Error),
    /// It needs more memory than it is allowed.
    #[error(
        "the component needs more than its {} MiB of memory; a smaller part size needs less",
        .0.memory / (1024 * 1024)
    )]
    OutOfMemory(Limits),
    /// It ran for too long by itself and did not end the slice.
    #[error("the component did not end the slice: stopped after running for {} s by itself", .0.overrun.as_secs())]
    Overrun(Limits),
    /// It did more than it may.
    #[error("the component broke the contract: {0}")]
    Exceeded(Exceeded),
    /// All places for slices in the process's pool are in use.
    #[error("too many slices are running: try again when one has ended")]
    TooMany,
    /// It failed in another way: an error in the component.
    #[error("the component failed: {0}")]
    Trap(String),
}

impl CallError {
    /// Interprets wasmtime's error for a call in the store of this context.
    pub fn new(error: &wasmtime::Error, ctx: &mut PipeCtx) -> Self {
        Self::within(error, ctx.limiter())
    }

    /// Interprets wasmtime's error for a call within these limits.
    pub(crate) fn within(error: &wasmtime::Error, limiter: &Limiter) -> Self {
        let limits = limiter.limits();
        if limiter.has_refused_memory() {
            Self::OutOfMemory(limits)
        } else if error.downcast_ref() == Some(&Trap::Interrupt) {
            Self::Overrun(limits)
        } else if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            Self::TooMany
        } else if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
            Self::Exceeded(exceeded.clone())
        } else {
            Self::Trap(format!("{error:#}"))
        }
    }
}

/// An error of the contract, as text.
fn message(error: &Error) -> &str {
    match error {
        Error::InvalidOptions(text)
        | Error::InvalidCheckpoint(text)
        | Error::ReadFailed(text)
        | Error::Corrupt(text)
        | Error::WriteFailed(text)
        | Error::TooLarge(text) => text,
        Error::Interrupted => "interrupted",
    }
}
