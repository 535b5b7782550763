//! Lines on standard output, and for people on standard error.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Prints a line.
pub fn print(line: &str) -> anyhow::Result<()> {
    check_written(writeln!(io::stdout(), "{line}"))
}

/// Prints a line that must not get lost, such as a hash: a reader that has gone is a failure.
pub fn print_or_fail(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("can't write to standard output")
}

/// Prints a line for people to standard error, after the program's name.
macro_rules! message {
    ($($line:tt)*) => {
        $crate::output::print_message(format_args!($($line)*))
    };
}
pub(crate) use message;

/// What [`message!`] does. Nobody may read it any more, which changes nothing.
pub fn print_message(line: Arguments<'_>) {
    writeln!(io::stderr(), "partway: {}", one_line(&line.to_string())).ok();
}

/// A text of several lines, as some libraries' errors have, on one.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Whether writing to standard output succeeded. A reader that has gone, as `head` does, is no failure.
pub fn check_written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("can't write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(one_line("found=[\n    0x6e,\n]: no"), "found=[ 0x6e, ]: no");
        assert_eq!(one_line("plain"), "plain");
    }
}
