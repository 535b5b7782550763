//! `partway serve`.

use partway_service::ServeError;

use crate::arguments::ServeArguments;
use crate::failure::Failure;
use crate::output::print;
use crate::signals::listen_with;
use crate::state_folder::state_folder;

/// Runs the command.
pub async fn run(arguments: ServeArguments) -> Result<(), Failure> {
    let state = match &arguments.store {
        Some(_) => state_folder(arguments.state.as_deref())?,
        None => std::path::PathBuf::new(),
    };
    let stop = listen_with(|text| tracing::info!("{text}"));
    let listening = |address| print(&format!("listening on http://{address}"));
    partway_service::run(arguments.config(state), stop, listening).await.map_err(
        |error| match error {
            ServeError::Config(error) => Failure::Usage(error),
            ServeError::Failed(error) => Failure::Failed(error),
        },
    )
}
