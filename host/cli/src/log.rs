//! The log on standard error: lines for people, or for programs.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::arguments::Command;

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// An object each
    Json,
}

/// Begins the log: of a service all that it does, of other commands what goes wrong; `PARTWAY_LOG` may want otherwise.
pub fn begin(command: &Command) -> LogFormat {
    let (format, level) = match command {
        Command::Serve(arguments) => (arguments.log_format, "info"),
        _ => (LogFormat::Text, "error"),
    };
    let filter = EnvFilter::try_from_env("PARTWAY_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        // The innermost span alone: each that is about an export has its id.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    format
}
