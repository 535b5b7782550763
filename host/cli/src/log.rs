//! The log on standard error: lines of text, or of JSON.

use tracing_subscriber::EnvFilter;

use crate::arguments::{Command, LogFormat};

/// Starts the log: all that a service does, and only errors of other commands, unless `PARTWAY_LOG` says
/// otherwise.
pub fn start(command: &Command) -> LogFormat {
    let (format, level) = match command {
        Command::Serve(arguments) => (arguments.log_format, "info"),
        _ => (LogFormat::Text, "error"),
    };
    let filter = EnvFilter::try_from_env("PARTWAY_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would print that a line could not be printed, and panic where that can't be printed either.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        // The innermost span is enough: every span about an export has its id.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    format
}
