//! Finding a toolchain that compiles to wasm on this machine.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of every component: no WASI, so no ambient authority.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What of Rust's library a crate uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// `core` and `alloc`: it is `no_std`, as the components are that others run.
    Alloc,
    /// `std`, of which little works without an operating system.
    Std,
    /// `std`, and libraries in C: the program that compiles these, a clang that knows wasm32.
    StdAndC(&'static str),
}

/// A toolchain that can compile for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// The cargo in use has the target's standard library.
    Rustup {
        /// Its cargo.
        cargo: PathBuf,
        /// Its rustc.
        rustc: PathBuf,
    },
    /// Debian's `cargo-web` and `rustc-web`, which build the library from `rust-web-src` first.
    Debian,
}

/// Nothing on this machine compiles for [`TARGET`].
#[derive(Debug, thiserror::Error)]
#[error(
    "no toolchain here compiles for {TARGET}{}.\n\
     Any one of these will do:\n\
     - run `cargo xtask setup`, which tries the next two\n\
     - rustup target add {TARGET}\n\
     - on Debian: apt-get install --no-install-recommends {}\n\
     - set PARTWAY_COMPONENT, PARTWAY_IMPORTER, PARTWAY_PARQUET and PARTWAY_REDACTOR to the files of components that are already built", pinned.as_deref().unwrap_or(""), Toolchain::DEBIAN_PACKAGES.join(" ")
)]
pub struct NoToolchain {
    pinned: Option<String>,
}

impl Toolchain {
    /// The packages that the Debian toolchain needs.
    pub const DEBIAN_PACKAGES: [&str; 5] =
        ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

    /// The first usable toolchain; `PARTWAY_TOOLCHAIN` set to `rustup` or `debian` selects one.
    pub fn find() -> Result<Self, NoToolchain> {
        let pinned = env::var("PARTWAY_TOOLCHAIN").ok().filter(|name| !name.is_empty());
        let found = match pinned.as_deref() {
            None => Self::rustup().or_else(Self::debian),
            Some("rustup") => Self::rustup(),
            Some("debian") => Self::debian(),
            Some(_) => None,
        };
        found.ok_or_else(|| NoToolchain {
            pinned: pinned
                .map(|name| format!(" (PARTWAY_TOOLCHAIN={name}; it may be rustup or debian)")),
        })
    }

    fn rustup() -> Option<Self> {
        let cargo = PathBuf::from(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let rustc = PathBuf::from(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let library =
            output(Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]))?;
        Path::new(library.trim()).is_dir().then_some(Self::Rustup { cargo, rustc })
    }

    /// Debian puts its web variants beside no other rustc: they are `/usr/bin/rustc` and `cargo`.
    fn debian() -> Option<Self> {
        let root = output(Command::new("/usr/bin/rustc").args(["--print", "sysroot"]))?;
        let source = Path::new(root.trim()).join("lib/rustlib/src/rust/library");
        let ready = source.is_dir() && Path::new("/usr/bin/cargo").exists();
        ready.then_some(Self::Debian)
    }

    /// A cargo command that compiles for [`TARGET`] with nothing of the calling build's environment
    /// (its flags, wrappers and target folder are not for wasm).
    pub(crate) fn cargo(&self) -> Command {
        let mut command = match self {
            Self::Rustup { cargo, rustc } => {
                let mut command = Command::new(cargo);
                command.env("RUSTC", rustc);
                command
            }
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
                command
            }
        };
        let mine = |name: &OsString| {
            let name = name.to_string_lossy();
            let is = |prefix| name.starts_with(prefix);
            // CARGO_HOME holds the registry's settings and what is downloaded already.
            (is("CARGO") && name != "CARGO_HOME")
                || is("RUSTFLAGS")
                || is("RUSTDOC")
                || is("RUSTC_W")
                || is("CLIPPY")
        };
        for (name, _) in env::vars_os().filter(|(name, _)| mine(name)) {
            command.env_remove(name);
        }
        command
    }

    /// What the build needs besides the ordinary arguments.
    pub(crate) fn arguments(&self, library: Library) -> &'static [&'static str] {
        match (self, library) {
            (Self::Rustup { .. }, _) => &[],
            (Self::Debian, Library::Alloc) => &["-Zbuild-std=core,alloc"],
            // Without features: backtraces alone double the time, and there are none in wasm.
            (Self::Debian, Library::Std | Library::StdAndC(_)) => {
                &["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]
            }
        }
    }
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
