//! What to do about an error, in terms of this program: its options, its commands and its environment.
//!
//! The libraries' errors say what happened. They know nothing of the command line, so advice that names it is
//! added here.

use std::error::Error;

use partway_codec::DecodeError;
use partway_jobs::{JobError, PruneError, PruneFailure, StateError, StepError, StreamError};
use partway_restore::RestoreError as NewDatabaseError;
use partway_sqlite::OpenError;
use partway_store::StoreError;
use partway_verify::{DumpProblem, RestoreError, StatementError};
use partway_wasmtime::CallError;
use partway_wasmtime::exporter::ExportError;

/// What to do where a store's address means another server than before.
const RESTORE_ENDPOINT: &str = ": restore AWS_ENDPOINT_URL";

/// Advice on an error, to be printed directly after its text. Empty where there is none.
pub fn advice(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref() {
        on_state(error)
    } else if let Some(error) = error.downcast_ref() {
        on_step(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_job(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_prune(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_open(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_stream(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_store(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_call(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_restore(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_new_database(error).to_owned()
    } else if let Some(error) = error.downcast_ref() {
        on_decode(error).to_owned()
    } else {
        String::new()
    }
}

/// Advice on an error or the first of its causes for which there is any.
pub fn advice_on_chain(error: &anyhow::Error) -> String {
    error.chain().map(advice).find(|advice| !advice.is_empty()).unwrap_or_default()
}

fn on_state(error: &StateError) -> String {
    match error {
        StateError::Folder { .. } => "; choose another one with --state".to_owned(),
        StateError::ReadOnly { .. } | StateError::Damaged { .. } | StateError::Newer { .. } => {
            "; choose the state folder with --state".to_owned()
        }
        StateError::UnknownJob(_) => ": see partway jobs list".to_owned(),
        StateError::AmbiguousJob(_) => "; partway jobs list shows whole ids".to_owned(),
        StateError::Running { id, .. } => format!(
            "; to cancel it, run partway jobs cancel {id}; to export at the same time, add --concurrent"
        ),
        _ => String::new(),
    }
}

fn on_step(error: &StepError) -> &'static str {
    match error {
        StepError::Job(error) => on_job(error),
        StepError::Open(error) => on_open(error),
        StepError::OtherStore { .. } => RESTORE_ENDPOINT,
        StepError::MayNotStartOver => {
            "; --on-change restart makes an export start over by itself when that happens"
        }
        _ => "",
    }
}

fn on_decode(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::NoIdentity => ": give the file with your secret key by --identity",
        _ => "",
    }
}

fn on_prune(error: &PruneFailure) -> &'static str {
    match &error.source {
        PruneError::OtherStore => RESTORE_ENDPOINT,
        PruneError::Store(error) => on_store(error),
        _ => "",
    }
}

fn on_job(error: &JobError) -> &'static str {
    match error {
        JobError::Store(error) => on_store(error),
        JobError::Call(error) => on_call(error),
        _ => "",
    }
}

fn on_open(error: &OpenError) -> &'static str {
    match error {
        OpenError::Copy { .. } => "; or export without a copy: --snapshot hold",
        _ => "",
    }
}

fn on_stream(error: &StreamError) -> &'static str {
    match error {
        StreamError::TemporaryFolder(_) => "; set TMPDIR to a folder that you may write to",
        StreamError::Copy(error) => on_open(error),
        StreamError::Panicked(_) => "",
    }
}

fn on_store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Taken { .. } => "; choose one with --name",
        _ => "",
    }
}

/// How a component words what an option mends, and the option: what it is told, and what it tells, is text.
const OPTIONS: [(&str, &str); 3] = [
    // Of a row that would be loaded whole.
    ("may be loaded into memory at a time", " (--max-loaded-row)"),
    (
        "choose one with the option table",
        " (--table TABLE), or export each to an object of its own (--each-table)",
    ),
    ("(types=stored)", ": --types stored"),
];

fn on_call(error: &CallError) -> &'static str {
    match error {
        CallError::Exporter(ExportError::InvalidOptions(text)) => {
            let mended = OPTIONS.iter().find(|(words, _)| text.contains(words));
            mended.map_or("", |(_, option)| option)
        }
        CallError::OutOfMemory(_) => "; choose one with --part-size",
        _ => "",
    }
}

fn on_restore(error: &RestoreError) -> &'static str {
    match error {
        RestoreError::Statement { reason: StatementError::DiskFull(_), .. } => {
            ": set TMPDIR to a folder with room for the database"
        }
        _ => "",
    }
}

fn on_new_database(error: &NewDatabaseError) -> &'static str {
    match error {
        NewDatabaseError::Exists(_) => ": choose another name, or move it away",
        NewDatabaseError::DiskFull(_) => {
            ": make room for all of it, and in TMPDIR for sorting its indexes; nothing of it is left"
        }
        NewDatabaseError::NotComplete(problems)
            if problems.iter().all(|problem| matches!(problem, DumpProblem::Incomplete { .. })) =>
        {
            "; to restore what there is, add --allow-incomplete"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn advice_names_the_option_or_command_that_helps() {
        let path = PathBuf::from("state");
        let reason = String::new();
        for (error, expected) in [
            (StateError::UnknownJob("12".to_owned()).into(), ": see partway jobs list"),
            (StateError::ReadOnly { path: path.clone(), reason: reason.clone() }.into(), "--state"),
            (StepError::MayNotStartOver.into(), "--on-change restart"),
            (OpenError::Copy { path: path.clone(), reason }.into(), "--snapshot hold"),
            (
                StepError::Job(StoreError::Taken { location: "a".to_owned() }.into()).into(),
                "--name",
            ),
        ] {
            let error: anyhow::Error = error;
            assert!(advice_on_chain(&error).contains(expected), "{error}");
            let caused = error.context("something failed");
            assert!(advice_on_chain(&caused).contains(expected), "{caused}");
        }
        assert_eq!(advice_on_chain(&StateError::Full { path }.into()), "");
    }
}
