//! Exports to an S3 server on this machine, compared with making the dump alone and uploading it
//! alone.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use partway_testbed::Shape;

use super::bound::Bound::{self, AtMost};
use super::databases::{PART_SIZE, megabytes, shaped};
use super::measured::{Run, in_turn, measure};
use super::peers::{Peer, Programs, export_to};
use super::report::Table;
use crate::garage::{self, BUCKET, Garage};
use crate::python;

/// Of Partway's time to the slower of the other two: making and uploading at once costs little more
/// than either.
const AT_ONCE: Bound = AtMost(1.25);

/// How many parts Partway uploads to S3 at a time (`StoreLimits::in_flight` of its `ObjectStore`).
pub const ON_THEIR_WAY: u32 = 3;

const BOTO3: &str = "boto3==1.44.5";

/// What must be installed for it.
pub struct Tools {
    /// A Python that has boto3; without one there is nothing to compare with.
    pub python: Option<PathBuf>,
}

impl Tools {
    /// Installs them where they are not there yet.
    pub fn install() -> Result<Self> {
        let python = match python::environment("boto3", &[BOTO3]) {
            Ok(Some(bin)) => Some(bin.join("python")),
            Ok(None) => None,
            Err(error) => {
                eprintln!("bench: {error:#}");
                None
            }
        };
        if python.is_none() {
            eprintln!("bench: Python with boto3 is not available; exports to S3 are skipped");
        } else {
            garage::install()?;
        }
        Ok(Self { python })
    }
}

pub fn s3(
    programs: &Programs,
    tools: &Tools,
    folder: &Path,
    size: u64,
    rounds: u32,
) -> Result<Vec<Table>> {
    let mut table = table();
    let Some(python) = &tools.python else {
        table.note("Skipped: Python with boto3 was not available.");
        return Ok(vec![table]);
    };
    let database = shaped(folder, Shape::Real, size)?;
    println!("\n-- S3, {} ({:.0} MB)", Shape::Real.description(), megabytes(&database)?);
    let object = folder.join("object.sql");
    measure(Peer::Partway.command(programs, &database).stdout(File::create(&object)?))?;
    let export = |store: &dyn AsRef<OsStr>, snapshot: &str| {
        let mut export = export_to(&programs.partway, &database, store.as_ref(), folder);
        export.args(["--part-size", &PART_SIZE.to_string(), "--snapshot", snapshot]);
        export
    };
    let exported_to_folder = |snapshot| {
        let store = folder.join("store");
        fs::create_dir_all(&store)?;
        let run = measure(&mut export(&store, snapshot))?;
        fs::remove_dir_all(&store)?;
        Ok(run)
    };
    let exported_to_s3 = |snapshot| {
        served(folder, |server| {
            let bucket = format!("s3://{BUCKET}/bench");
            measure(export(&bucket, snapshot).envs(server.for_programs()))
        })
    };
    let whats = ["boto3", "copy: folder", "copy: S3", "hold: folder", "hold: S3"];
    let [upload, copied, ours_copied, held, ours_held] =
        in_turn(rounds, whats, |which| match which {
            0 => served(folder, |server| uploaded(python, &object, server, folder)),
            1 => exported_to_folder("copy"),
            2 => exported_to_s3("copy"),
            3 => exported_to_folder("hold"),
            _ => exported_to_s3("hold"),
        })?;
    let processors = available_parallelism()?.get() as f64;
    for (name, plain, ours) in
        [("a copy first", &copied, &ours_copied), ("no copy", &held, &ours_held)]
    {
        table.row(vec![
            name.to_owned(),
            format!("{:.3}", plain.seconds()),
            format!("{:.3}", upload.seconds()),
            format!("{:.3}", ours.seconds()),
            AT_ONCE.judged(ours.seconds() / plain.seconds().max(upload.seconds())),
            format!("{:.3}", ours.cpu_seconds() / processors),
        ]);
    }
    fs::remove_file(&object)?;
    Ok(vec![table])
}

/// The empty table.
fn table() -> Table {
    Table::new(
        "To S3, on this machine",
        &format!(
            "Medians, in seconds, for the realistic shape, in parts of {PART_SIZE} bytes: an export to a folder; the \
             upload of the same object by boto3 ({ON_THEIR_WAY} parts at a time, not counting the start of Python); and \
             an export to S3. A copy of the database is made first, as is usual outside WAL mode, or not at all. The \
             server is Garage, a new one for each run, as a server that already has blocks of the same content would \
             not write them again. It shares the processors: an export to S3 can't be faster than its own and the \
             server's processor time, divided by the number of processors."
        ),
        &[
            "",
            "to a folder",
            "boto3",
            "partway to S3",
            "relative to the slower of the two",
            "least by processor time",
        ],
    )
}

/// A run against a new server, with the server's processor time.
pub fn served(folder: &Path, run: impl FnOnce(&Garage) -> Result<Run>) -> Result<Run> {
    let place = tempfile::tempdir_in(folder)?;
    let server = Garage::start(place.path()).context("starting an S3 server")?;
    let before = server.cpu_seconds()?;
    let run = run(&server)?;
    let cpu_seconds = run.cpu_seconds + server.cpu_seconds()? - before;
    Ok(Run { cpu_seconds, ..run })
}

/// The upload of a file, by its own clock: the start of Python is not its work.
fn uploaded(python: &Path, object: &Path, server: &Garage, folder: &Path) -> Result<Run> {
    let printed = folder.join("upload.seconds");
    let mut upload = Command::new(python);
    upload.args(["-c", include_str!("upload.py")]).arg(object).args([BUCKET, "bench/object.sql"]);
    upload.args([PART_SIZE.to_string(), ON_THEIR_WAY.to_string()]);
    upload.envs(server.for_programs()).stdin(Stdio::null()).stdout(File::create(&printed)?);
    let run = measure(&mut upload)?;
    let text = fs::read_to_string(&printed)?;
    let seconds = text.trim().parse().with_context(|| format!("no seconds: {text:?}"))?;
    fs::remove_file(printed)?;
    Ok(Run { seconds, ..run })
}
