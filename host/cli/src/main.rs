//! The program `partway`.

mod advice;
mod arguments;
mod console;
mod dump_source;
mod encoded_object;
mod export;
mod failure;
mod jobs;
mod log;
mod object_manifest;
mod output;
mod progress;
mod read_progress;
mod redact;
mod report;
mod restore;
mod run_job;
mod serve;
mod signals;
mod standard_output;
mod state_folder;
mod verify;
mod verify_set;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, LogFormat};
use failure::Failure;
use output::message;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let log_format = log::start(&arguments.command);
    let result = tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| {
        match arguments.command {
            Command::Export(arguments) => runtime.block_on(export::run(arguments)),
            Command::RedactComponent(arguments) => redact::run(&arguments),
            Command::Restore(arguments) => runtime.block_on(restore::run(arguments)),
            Command::Jobs(command) => runtime.block_on(jobs::run(command)),
            Command::Serve(arguments) => runtime.block_on(serve::run(arguments)),
            Command::Verify(arguments) => runtime.block_on(verify::run(arguments)),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match log_format {
                LogFormat::Text => message!("{failure}"),
                LogFormat::Json => tracing::error!("{failure}"),
            }
            failure.exit_code()
        }
    }
}
