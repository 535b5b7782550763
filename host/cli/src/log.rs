//! The log on standard error: lines of text, or of JSON.

use tracing_subscriber::EnvFilter;

use crate::arguments::{Command, LogFormat};
use crate::output::message;

/// Starts the log: all that a service does, and nothing of other commands, which say what people need to know in
/// sentences of their own. `PARTWAY_LOG` asks for more or less.
pub fn start(command: &Command) -> LogFormat {
    let (format, level) = match command {
        Command::Serve(arguments) => (arguments.log_format, "info"),
        _ => (LogFormat::Text, "off"),
    };
    let wanted = std::env::var("PARTWAY_LOG").ok().filter(|wanted| !wanted.is_empty());
    let filter = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            message!(
                "warning: PARTWAY_LOG is ignored: {error}; write it like info or partway=debug"
            );
            EnvFilter::new(level)
        }
        None => EnvFilter::new(level),
    };
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
