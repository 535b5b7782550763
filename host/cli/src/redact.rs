//! `partway redact-component`, and `--redact` of exports.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use partway_redact::{RedactError, read_policy, redacting, redacting_exporter, redacting_parquet};
use partway_wasmtime::exporter::Exporter;

use crate::arguments::RedactArguments;
use crate::failure::Failure;

/// Runs the command.
pub fn run(arguments: &RedactArguments) -> Result<(), Failure> {
    let component = redacting_component(&arguments.policy, "sql", arguments.component.as_deref())?;
    // What is not a component of exports is found out here, and not by who gets the file.
    Exporter::new(&component).context("the component can't be used for an export")?;
    let path = &arguments.output;
    let mut new = OpenOptions::new();
    new.create_new(true).write(true);
    // It contains the policy's key.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let written = new.open(path).and_then(|mut file| file.write_all(&component));
    Ok(written.with_context(|| format!("{} can't be written", path.display()))?)
}

/// An export component, the program's own for a format or one from a file, with a policy in front of it.
pub fn redacting_component(
    policy: &Path,
    format: &str,
    component: Option<&Path>,
) -> Result<Vec<u8>, Failure> {
    let of_policy = |error: RedactError| match error {
        // It names the file already.
        RedactError::Read { .. } | RedactError::BinaryKey { .. } => Failure::usage(error),
        error => Failure::usage(anyhow::Error::new(error).context(policy.display().to_string())),
    };
    let read = read_policy(policy).map_err(of_policy)?;
    let made = match component {
        None if format == "parquet" => redacting_parquet(&read),
        None => redacting_exporter(&read),
        Some(file) => {
            let bytes = std::fs::read(file);
            redacting(&bytes.with_context(|| format!("{} can't be read", file.display()))?, &read)
        }
    };
    made.map_err(of_policy)
}
