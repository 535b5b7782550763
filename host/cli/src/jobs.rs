//! `partway jobs`.

mod cancel;
mod elapsed;
mod list;
mod prune;
mod resume;
mod select;
mod show;
mod view;

use partway_jobs::Prune;

use self::select::{find, open};
use crate::arguments::JobsCommand;
use crate::failure::Failure;

/// Runs the command.
pub async fn run(command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List { json, state } => list::list(&open(&state)?, json),
        JobsCommand::Show { job, json, state } => show::show(&find(&open(&state)?, &job)?, json),
        JobsCommand::Cancel { jobs, state } => cancel::cancel(open(&state)?, &jobs).await,
        JobsCommand::Resume { jobs, json, state } => {
            resume::resume(open(&state)?, &jobs, json, state.folder.as_deref()).await
        }
        JobsCommand::Prune { stores, finished_for, uploads_older_than, dry_run, json, state } => {
            let what = Prune { stores, finished_for, uploads_older_than, dry_run };
            prune::prune(&open(&state)?, &what, json).await
        }
    }
}
