//! The program `partway`.

mod arguments;
mod console;
mod export;
mod failure;
mod jobs;
mod progress;
mod serve;
mod signals;
mod standard_output;
mod verify;
mod words;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use arguments::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("PARTWAY_LOG").unwrap_or_default())
        .with_writer(std::io::stderr)
        .init();
    let result = tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| {
        match arguments.command {
            Command::Export(arguments) => runtime.block_on(export::run(arguments)),
            Command::Jobs(command) => runtime.block_on(jobs::run(command)),
            Command::Serve(arguments) => runtime.block_on(serve::run(arguments)),
            Command::Verify(arguments) => runtime.block_on(verify::run(arguments)),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("partway: {failure}");
            failure.exit_code()
        }
    }
}
