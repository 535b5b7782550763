//! `partway jobs`.

mod cancel;
mod elapsed;
mod list;
mod prune;
mod resume;
mod select;
mod show;
mod view;

use partway_jobs::{JobStore, Prune};

use self::select::{find, open, open_for_id};
use crate::arguments::JobsCommand;
use crate::failure::Failure;
use crate::state_folder::state_folder;

/// Runs the command.
pub async fn run(command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List { json, state } => {
            open(&state)?.map_or(Ok(()), |jobs| list::list(&jobs, json))
        }
        JobsCommand::Show { job, json, state } => {
            show::show(&find(&open_for_id(&state)?, &job)?, json)
        }
        JobsCommand::Cancel { jobs, state } => cancel::cancel(open_for_id(&state)?, &jobs).await,
        JobsCommand::Resume { jobs: ids, json, state } => {
            let jobs = if ids.is_empty() { open(&state)? } else { Some(open_for_id(&state)?) };
            match jobs {
                Some(jobs) => resume::resume(jobs, &ids, json, state.folder.as_deref()).await,
                None => Ok(()),
            }
        }
        JobsCommand::Prune { stores, finished_for, uploads_older_than, dry_run, json, state } => {
            // Where there are no jobs, uploads that belong to none can be looked for all the same.
            let jobs = if stores.is_empty() {
                open(&state)?
            } else {
                Some(JobStore::open(&state_folder(state.folder.as_deref())?)?)
            };
            let what = Prune { stores, finished_for, uploads_older_than, dry_run };
            match jobs {
                Some(jobs) => prune::prune(&jobs, &what, json).await,
                None => Ok(()),
            }
        }
    }
}
