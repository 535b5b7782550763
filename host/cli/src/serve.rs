//! `partway serve`.

use anyhow::anyhow;
use partway_service::{ConfigError, SecretError, Service, ServiceError, TokenFileError};

use crate::arguments::ServeArguments;
use crate::failure::Failure;
use crate::output::print;
use crate::signals::{listen_with, on_hangup};
use crate::state_folder::state_folder;

/// Runs the command.
pub async fn run(arguments: ServeArguments) -> Result<(), Failure> {
    let state = match &arguments.store {
        Some(_) => state_folder(arguments.state.as_deref())?,
        None => std::path::PathBuf::new(),
    };
    let stop = listen_with(|text| tracing::info!("{text}"));
    let listening = |address| print(&format!("listening on http://{address}"));
    let reloads = arguments.token_file.is_some() || arguments.callback_secret_file.is_some();
    let service = Service::open(arguments.config(state)?, stop).await.map_err(failure)?;
    if reloads {
        let reloader = service.reloader();
        // What comes of it is in the log.
        on_hangup(move || drop(reloader.reload()))?;
    }
    service.run(listening).await.map_err(failure)
}

/// A failure of the service in the words of the command line.
fn failure(error: ServiceError) -> Failure {
    match error {
        // Just as other commands report them: the arguments make sense, but a file can't be used.
        ServiceError::Config(ConfigError::Database(error)) => Failure::Failed(error.into()),
        ServiceError::Config(
            error @ (ConfigError::Tokens { source: TokenFileError::Read(_), .. }
            | ConfigError::Secret { source: SecretError::Read(_), .. }
            | ConfigError::SaveSecret { .. }),
        ) => Failure::Failed(error.into()),
        ServiceError::Config(error) => Failure::Usage(with_advice(error)),
        ServiceError::Jobs(error) => Failure::Failed(error.into()),
        ServiceError::Store(error) => Failure::Failed(error.into()),
        ServiceError::Address(error) => Failure::Failed(error.into()),
        other => Failure::Failed(other.into()),
    }
}

/// What is wrong with the arguments, and which to change.
fn with_advice(error: ConfigError) -> anyhow::Error {
    match error {
        ConfigError::NoDatabase => anyhow!("give a database"),
        ConfigError::SameName { .. } => {
            anyhow!("{error}: give one another name with --database NAME=PATH")
        }
        ConfigError::ScheduledDatabase { name, served } => anyhow!(
            "--every names the database {name:?}, which is not served; available: {}",
            served.join(", ")
        ),
        ConfigError::TwoSchedules { database, options } => {
            let database = database.as_deref().unwrap_or("all databases");
            let same =
                if options.is_empty() { String::new() } else { format!(" with {options:?}") };
            anyhow!("--every is given twice for {database}{same}: give it once")
        }
        ConfigError::ScheduledExport { database, options, source } => {
            anyhow!(source).context(format!("--every {options:?} makes no sense for {database}"))
        }
        ConfigError::NoTokens { address } => anyhow!(
            "{address} can be reached from other machines: give --token-file, or listen on 127.0.0.1"
        ),
        // Just as other commands report them.
        ConfigError::PartSize(error) => error.into(),
        other => other.into(),
    }
}
