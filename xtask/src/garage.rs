//! `cargo xtask garage DIR`: a real S3 server, Garage, on this machine, with one bucket.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::run::{run, shown};

const VERSION: &str = "2.5.0";

/// The one bucket.
pub const BUCKET: &str = "exports";

const REGION: &str = "garage";

/// How long the server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is restarted if it exits at once.
const ATTEMPTS: u32 = 2;

/// A running server, which is stopped when this is dropped.
pub struct Garage {
    server: Child,
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    key: String,
    secret: String,
}

impl Drop for Garage {
    fn drop(&mut self) {
        // It may have exited by itself; there is no one to report to.
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

impl Garage {
    /// Starts a server with its data in a folder, on free ports; installs it first if it is
    /// missing.
    pub fn start(folder: &Path) -> Result<Self> {
        let program = install()?;
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        if folder.join("garage.toml").exists()
            && command(&program, &folder, &["status"]).output()?.status.success()
        {
            bail!(
                "a server is already running in {}; to stop it: kill $(cat {0}/pid)",
                folder.display()
            );
        }
        let mut attempts = 1..=ATTEMPTS;
        loop {
            let started = Self::launch(&program, &folder);
            // Another program may take a port between its choice and its use.
            if started.is_ok() || attempts.next().is_none() {
                return started;
            }
        }
    }

    fn launch(program: &Path, folder: &Path) -> Result<Self> {
        let ports = free_ports()?;
        // Good for this machine alone, as the server is: it listens nowhere else.
        let (key, secret) = (format!("GK{}", "5a".repeat(12)), "c3".repeat(32));
        fs::write(folder.join("garage.toml"), configuration(folder, ports))?;
        let log = fs::File::create(folder.join("log"))?;
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(folder.join("garage.toml"))
            .arg("server")
            .env("RUST_LOG", "garage=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let server = command.spawn().with_context(|| format!("starting {}", shown(&command)))?;
        let mut garage = Self {
            server,
            program: program.to_owned(),
            folder: folder.to_owned(),
            port: ports[0],
            key,
            secret,
        };
        fs::write(garage.folder.join("pid"), garage.server.id().to_string())?;
        let node = garage.wait()?;
        let ready = garage.folder.join("ready");
        if !ready.exists() {
            garage.prepare(&node)?;
            fs::write(ready, "")?;
        }
        Ok(garage)
    }

    /// Waits until it responds, and returns its node id.
    fn wait(&mut self) -> Result<String> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait()? {
                bail!("Garage has exited ({status}): see {}", self.folder.join("log").display());
            }
            let node = self.command(&["node", "id", "-q"]).output()?;
            if node.status.success()
                && self.command(&["status"]).output()?.status.success()
                && TcpStream::connect(self.address()).is_ok()
            {
                let text = String::from_utf8(node.stdout)?;
                return Ok(text.trim().split('@').next().unwrap_or_default().to_owned());
            }
            if began.elapsed() > START_TIMEOUT {
                let log = self.folder.join("log");
                bail!("Garage has not responded within {START_TIMEOUT:?}: see {}", log.display());
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Gives a new server its storage, its bucket and its key.
    fn prepare(&self, node: &str) -> Result<()> {
        for arguments in [
            &["layout", "assign", "--zone", "here", "--capacity", "10G", node][..],
            &["layout", "apply", "--version", "1"],
            &["key", "import", "--yes", "-n", "tests", &self.key, &self.secret],
            &["bucket", "create", BUCKET],
            &["bucket", "allow", "--read", "--write", "--owner", BUCKET, "--key", &self.key],
        ] {
            let mut command = self.command(arguments);
            let output = command.output()?;
            if !output.status.success() {
                let printed = String::from_utf8_lossy(&output.stderr).into_owned();
                bail!("{} failed ({}): {printed}", shown(&command), output.status);
            }
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.program, &self.folder, arguments)
    }

    /// The processor time that the server has used so far, if the system reports it (Linux).
    pub fn cpu_seconds(&self) -> Result<f64> {
        /// Of the times in `stat`, always (`proc_pid_stat(5)`; `USER_HZ`).
        const TICKS: f64 = 100.0;
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.server.id())) else {
            return Ok(f64::NAN);
        };
        // The program's name, in brackets, may hold anything; the times are the 12th and 13th field
        // after it.
        let behind = stat.rsplit_once(") ").context("no program in /proc/PID/stat")?.1;
        let times: Vec<f64> = behind.split(' ').skip(11).take(2).flat_map(str::parse).collect();
        Ok(times.iter().sum::<f64>() / TICKS)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The variables that the tests need.
    pub fn for_tests(&self) -> [(&'static str, String); 5] {
        [
            ("PARTWAY_TEST_S3_ENDPOINT", self.endpoint()),
            ("PARTWAY_TEST_S3_REGION", REGION.to_owned()),
            ("PARTWAY_TEST_S3_ACCESS_KEY", self.key.clone()),
            ("PARTWAY_TEST_S3_SECRET_KEY", self.secret.clone()),
            ("PARTWAY_TEST_S3_BUCKET", BUCKET.to_owned()),
        ]
    }

    /// The variables that any S3 program needs.
    pub fn for_programs(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", self.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
        ]
    }
}

/// A command to the server of a folder.
fn command(program: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("garage.toml")).args(arguments);
    command.env("RUST_LOG", "error").stdin(Stdio::null());
    command
}

/// Starts a server that keeps running, and prints the variables that a shell needs to use it.
pub fn garage(folder: &Path) -> Result<()> {
    let garage = Garage::start(folder)?;
    for (name, value) in garage.for_programs().iter().chain(&garage.for_tests()) {
        println!("export {name}={value}");
    }
    println!(
        "# The bucket is s3://{BUCKET}. To stop the server: kill $(cat {}/pid)",
        garage.folder.display()
    );
    // The server then has no parent; its folder has its process id.
    std::mem::forget(garage);
    Ok(())
}

/// The program, installed from crates.io if it is missing.
pub fn install() -> Result<PathBuf> {
    let root = match std::env::var_os("GARAGE_ROOT").filter(|root| !root.is_empty()) {
        Some(root) => PathBuf::from(root),
        None => {
            let home = std::env::home_dir().context("there is no home folder; set GARAGE_ROOT")?;
            home.join(".cache").join(format!("garage-{VERSION}"))
        }
    };
    let program = root.join("bin").join(format!("garage{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        eprintln!("garage: installing Garage {VERSION} to {} (6 to 10 minutes)", root.display());
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // It shares nothing with the project's own build.
        command.env_remove("CARGO_TARGET_DIR").current_dir(std::env::temp_dir());
        command.args(["install", "garage", "--version", VERSION, "--root"]).arg(&root);
        command.args(["--no-default-features", "--features", "sqlite,bundled-libs"]);
        run(&mut command)?;
    }
    Ok(program)
}

/// Two free ports of this machine: for S3, and for the server's internal traffic.
fn free_ports() -> Result<[u16; 2]> {
    // Both held at once, so that they are two.
    let port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, other) = (port()?, port()?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

fn configuration(folder: &Path, [s3, rpc]: [u16; 2]) -> String {
    let text = |path: PathBuf| format!("{:?}", path.display().to_string());
    format!(
        "metadata_dir = {}\n\
         data_dir = {}\n\
         db_engine = \"sqlite\"\n\
         replication_factor = 1\n\
         rpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
         rpc_public_addr = \"127.0.0.1:{rpc}\"\n\
         rpc_secret = \"{}\"\n\
         [s3_api]\n\
         s3_region = \"{REGION}\"\n\
         api_bind_addr = \"127.0.0.1:{s3}\"\n\
         root_domain = \".s3.localhost\"\n",
        text(folder.join("meta")),
        text(folder.join("data")),
        "1e".repeat(32),
    )
}
