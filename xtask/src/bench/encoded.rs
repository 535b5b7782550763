//! Exports that are compressed or encrypted, and of the database file itself, compared with the stock programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use partway_testbed::Shape;

use super::bound::Bound::{self, AtLeast, AtMost};
use super::databases::{megabytes, shaped};
use super::measured::{Run, in_turn, measure};
use super::peers::{Programs, export_to};
use super::report::Table;
use crate::codecs;
use crate::demo::ignore_missing;

/// Of the pipeline's time to Partway's.
const FASTER_WITH_ZSTD: Bound = AtLeast(1.7);
const FASTER_WITH_GZIP: Bound = AtLeast(2.0);
/// Of the object's length to that of the pipeline's.
const AS_SMALL: Bound = AtMost(1.03);
/// Of the image's time to that of a copy by SQLite.
const LIKE_A_COPY: Bound = AtMost(1.2);
/// Of an encrypted export's time to that of one that is not.
const LITTLE_MORE: Bound = AtMost(1.25);

/// What is compared: two ways to the same, in folders of their own.
struct Comparison<'a> {
    programs: &'a Programs,
    database: &'a Path,
    folder: &'a Path,
    rounds: u32,
}

/// What a comparison comes to.
struct Compared {
    theirs: f64,
    ours: f64,
    their_megabytes: f64,
    our_megabytes: f64,
    peak_megabytes: f64,
}

pub fn encoded(programs: &Programs, folder: &Path, size: u64, rounds: u32) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Compressed, encrypted, and the database file itself",
        "Medians, in seconds, for the realistic shape, until all is on disk.",
        &[
            "partway",
            "compared with",
            "seconds",
            "partway, seconds",
            "ratio",
            "size",
            "peak memory, MB",
        ],
    );
    if !codecs::for_tests()? {
        table.note("Skipped: the programs that compress and encrypt were not available.");
        return Ok(vec![table]);
    }
    let database = shaped(folder, Shape::Real, size)?;
    println!("\n-- encoded, {} ({:.0} MB)", Shape::Real.description(), megabytes(&database)?);
    let comparison = Comparison { programs, database: &database, folder, rounds };
    for (format, bound) in [("zstd", FASTER_WITH_ZSTD), ("gzip", FASTER_WITH_GZIP)] {
        let compress = format!("sqlite3 \"$1\" .dump | {format} -1 > \"$2\" && sync \"$2\"");
        let compared = comparison.run(Theirs::Shell(&compress), &["--compress", format])?;
        table.row(compared.row(
            &format!("`--compress {format}`"),
            &format!("`.dump \\| {format} -1`"),
            bound.judged(compared.theirs / compared.ours),
            AS_SMALL.judged(compared.our_megabytes / compared.their_megabytes),
        ));
    }
    let copy = "sqlite3 \"$1\" \"VACUUM INTO '$2'\" && sync \"$2\"";
    let compared = comparison.run(Theirs::Shell(copy), &["--format", "sqlite"])?;
    table.row(compared.row(
        "`--format sqlite`",
        "`VACUUM INTO`",
        LIKE_A_COPY.judged(compared.ours / compared.theirs),
        format!("{:.2}", compared.our_megabytes / compared.their_megabytes),
    ));
    let key = recipient()?;
    for plain in [&[][..], &["--compress", "zstd"]] {
        let sealed = [plain, &["--encrypt-to", &key]].concat();
        let compared = comparison.run(Theirs::Partway(plain), &sealed)?;
        let options = plain.iter().map(|option| format!("{option} ")).collect::<String>();
        table.row(compared.row(
            &format!("`{options}--encrypt-to`"),
            "the same, not encrypted",
            LITTLE_MORE.judged(compared.ours / compared.theirs),
            format!("{:.2}", compared.our_megabytes / compared.their_megabytes),
        ));
    }
    Ok(vec![table])
}

/// What Partway is compared with.
#[derive(Clone, Copy)]
enum Theirs<'a> {
    /// A command of the shell, from `$1` to `$2`.
    Shell(&'a str),
    /// Partway, with other options.
    Partway(&'a [&'a str]),
}

impl Comparison<'_> {
    fn run(&self, theirs: Theirs<'_>, options: &[&str]) -> Result<Compared> {
        let (store, file) = (self.folder.join("store"), self.folder.join("theirs"));
        let mut sizes = [0.0, 0.0];
        let names = ["theirs", "partway"];
        println!("{}", options.join(" "));
        let [other, ours] = in_turn(self.rounds, names, |which| {
            let run = match (which, theirs) {
                (0, Theirs::Shell(command)) => {
                    let mut shell = Command::new("sh");
                    shell.args(["-c", command, "sh"]).arg(self.database).arg(&file);
                    let run = measure(shell.stdin(Stdio::null()))?;
                    sizes[0] = megabytes(&file)?;
                    fs::remove_file(&file).or_else(ignore_missing)?;
                    run
                }
                (0, Theirs::Partway(options)) => self.exported(&store, options, &mut sizes[0])?,
                _ => self.exported(&store, options, &mut sizes[1])?,
            };
            Ok(run)
        })?;
        Ok(Compared {
            theirs: other.seconds(),
            ours: ours.seconds(),
            their_megabytes: sizes[0],
            our_megabytes: sizes[1],
            peak_megabytes: ours.peak_megabytes(),
        })
    }

    fn exported(&self, store: &Path, options: &[&str], size: &mut f64) -> Result<Run> {
        fs::create_dir_all(store)?;
        let mut export = export_to(&self.programs.partway, self.database, store, self.folder);
        let run = measure(export.args(["--no-manifest"]).args(options))?;
        let object = fs::read_dir(store)?.next().context("no object")??;
        *size = megabytes(&object.path())?;
        fs::remove_dir_all(store)?;
        Ok(run)
    }
}

impl Compared {
    fn row(&self, ours: &str, theirs: &str, ratio: String, size: String) -> Vec<String> {
        vec![
            ours.to_owned(),
            theirs.to_owned(),
            format!("{:.3}", self.theirs),
            format!("{:.3}", self.ours),
            ratio,
            size,
            format!("{:.0}", self.peak_megabytes),
        ]
    }
}

/// A public key, whose secret one nobody has.
fn recipient() -> Result<String> {
    let output = Command::new("age-keygen").stdin(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find_map(|line| line.strip_prefix("# public key: "));
    match line {
        Some(key) => Ok(key.to_owned()),
        None => bail!("age-keygen printed no public key"),
    }
}
