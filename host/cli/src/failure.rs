//! How the program ends when it does not succeed.

use std::fmt;
use std::process::ExitCode;

use crate::advice::advice_on_chain;

/// Why the program ends, and so its exit code.
#[derive(Debug)]
pub enum Failure {
    /// It could not do what it was asked to: 1.
    Failed(anyhow::Error),
    /// It was asked for something that can't be done: 2.
    Usage(anyhow::Error),
    /// It was interrupted: 130.
    Interrupted(String),
}

impl Failure {
    /// A wrong argument.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// The documented exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Interrupted(_) => 130,
        })
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Usage(error) => {
                write!(f, "{error:#}{}", advice_on_chain(error))
            }
            Self::Interrupted(text) => f.write_str(text),
        }
    }
}
