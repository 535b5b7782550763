//! The machine and the versions that are measured.

use std::process::Command;

use anyhow::Result;

use crate::run::{output, root};

/// What a reader of the numbers has to know.
pub struct Machine {
    pub cores: usize,
    pub processor: String,
    /// Of the program `sqlite3`.
    pub sqlite3: String,
    /// Of the library in Partway and its peers.
    pub sqlite: &'static str,
    pub rustc: String,
}

impl Machine {
    pub fn look() -> Result<Self> {
        let sqlite3 = output(Command::new("sqlite3").arg("--version"))?;
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            sqlite3: sqlite3.split(' ').next().unwrap_or_default().trim().to_owned(),
            sqlite: rusqlite::version(),
            rustc: output(Command::new(rustc).arg("--version").current_dir(root()))?
                .trim()
                .to_owned(),
        })
    }
}

/// The first processor's name in the text of `/proc/cpuinfo`; some machines have none there.
fn processor(text: &str) -> String {
    let names = text.lines().filter_map(|line| line.split_once(':'));
    let mut names = names.filter(|(key, _)| key.trim() == "model name");
    names.next().map_or("unknown", |(_, name)| name.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::processor;

    #[test]
    fn the_processor_is_named() {
        let text = "processor\t: 0\nmodel name\t: A Processor: 2 GHz\nmodel name\t: Another\n";
        assert_eq!(processor(text), "A Processor: 2 GHz");
        assert_eq!(processor("CPU implementer\t: 0x41\n"), "unknown");
    }
}
