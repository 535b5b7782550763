//! The service under all that goes wrong at once: clients that break off, faults in the store, and a restart a minute.
//!
//! `PARTWAY_CHAOS_LIVES` says how often the service is started, and `PARTWAY_CHAOS_SECONDS` how long it lives each time.

mod clients;
mod log;

use std::collections::HashSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use partway_testbed::write_sample;
use serde_json::Value;

use self::clients::{break_off, keep_watch, order, poll, take_away};
use self::log::Log;
use crate::support::{
    Fault, Program, Request, S3Server, Server, damage, export, of_many_pages, program, turn,
};

/// How many clients of each kind there are.
const CLIENTS: usize = 3;

/// How long the last life has to bring all to an end.
const END: Duration = Duration::from_secs(180);

/// What the clients share.
struct World {
    /// The service's address, the same in each of its lives.
    url: String,
    /// The databases' names, and the SHA-256 of each one's dump.
    dumps: Vec<(String, String)>,
    /// The exports for which the service has answered 202.
    accepted: Mutex<Vec<String>>,
    /// The exports whose objects were compared, and then deleted, whether or not that was answered.
    taken: Mutex<HashSet<String>>,
    /// Requests that were answered with 5xx: status and id.
    server_errors: Mutex<Vec<(u16, String)>>,
    /// What must never happen.
    wrong: Mutex<Vec<String>>,
    is_over: AtomicBool,
    counts: Counts,
}

/// What has been done.
#[derive(Default, Debug)]
struct Counts {
    answers: AtomicU64,
    unanswered: AtomicU64,
    broken_off: AtomicU64,
    verified: AtomicU64,
    faults: AtomicU64,
}

impl World {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

/// Random numbers, the same each time by the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        // Knuth's MMIX.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { Some(&all[self.below(all.len())]) }
    }
}

/// A life of the service: its memory at the end, in MiB, and its log.
struct Life {
    resident: u64,
    peak: u64,
    log: PathBuf,
}

struct Case {
    folder: tempfile::TempDir,
    s3: S3Server,
    port: u16,
    files: Vec<PathBuf>,
}

impl Case {
    fn new(sizes: &[(&str, u64)]) -> (Self, World) {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        let mut dumps = Vec::new();
        for (name, megabytes) in sizes {
            let file = folder.path().join(format!("{name}.db"));
            write_sample(&file, *megabytes).unwrap();
            let apart = folder.path().join(format!("reference-{name}"));
            std::fs::create_dir(&apart).unwrap();
            let sha256 = export(&file, &apart, 1024 * 1024, || u32::MAX).finished.sha256;
            dumps.push(((*name).to_owned(), sha256));
            files.push(file);
        }
        // Of this one there is no dump to be had: each GET of it fails, and has to say why.
        let damaged = of_many_pages(folder.path());
        damage(&damaged);
        files.push(damaged);
        // Free again at once, for the service; nobody else is given it soon.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let case = Self { folder, s3: S3Server::start(), port, files };
        let world = World {
            url: format!("http://127.0.0.1:{port}"),
            dumps,
            accepted: Mutex::default(),
            taken: Mutex::default(),
            server_errors: Mutex::default(),
            wrong: Mutex::default(),
            is_over: AtomicBool::new(false),
            counts: Counts::default(),
        };
        (case, world)
    }

    fn start(&self, log: &Path) -> Server {
        let mut command = Command::new(program());
        command.args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)]).args(&self.files);
        command.args(["--store", "s3://exports/nightly", "--drain", "5s", "--log-format", "json"]);
        command.args(["--inline-within", "2s", "--unfinished", "20"]);
        command.arg("--state").arg(self.folder.path().join("state"));
        command.env("PARTWAY_LOG", "info").env("AWS_READ_TIMEOUT", "5s");
        command.stderr(File::create(log).unwrap());
        Server::spawn(self.s3.with(Program { command }).command)
    }

    /// Lets the store fail now and then, until all is over.
    fn disturb(&self, world: &World) {
        let uploading = [Request::Part, Request::Complete];
        let all = [uploading[0], uploading[1], Request::Begin, Request::Look, Request::Read];
        let mut dice = Dice(1);
        while world.goes_on() {
            let (fault, kinds) = match dice.below(20) {
                // With this one an export starts over. Of an object it would say that it is not there.
                0 => (Fault::NoSuchUpload, uploading.as_slice()),
                1 => (Fault::Hang, all.as_slice()),
                other => (Fault::ALL[other % 5], all.as_slice()),
            };
            let kind = *dice.one_of(kinds).unwrap();
            self.s3.fail(kind, 1 + dice.below(4) as u32, fault);
            world.counts.faults.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(200 + dice.below(600) as u64));
        }
        self.s3.spare();
    }
}

/// Lets the service live so often and so long under load, and then once more in peace. Returns the lives under load.
fn live(case: &Case, world: &World, lives: usize, each: Duration) -> Vec<Life> {
    let mut ended = Vec::new();
    thread::scope(|scope| {
        for number in 0..CLIENTS as u64 {
            scope.spawn(move || order(world, Dice(100 + number)));
            scope.spawn(move || poll(world, Dice(200 + number)));
            scope.spawn(move || break_off(world, Dice(300 + number)));
            scope.spawn(move || keep_watch(world, Dice(400 + number)));
        }
        scope.spawn(|| take_away(world));
        scope.spawn(|| case.disturb(world));
        for life in 0..lives {
            let log = case.folder.path().join(format!("log-{life}"));
            let server = case.start(&log);
            sleep(each);
            let (resident, peak) = (server.memory(), server.peak_memory());
            println!("life {life}: {resident} MiB, at most {peak} MiB; {:?}", world.counts);
            ended.push(Life { resident, peak, log });
            if life % 2 == 0 {
                server.signal("-TERM");
                let status = server.ended();
                if !status.success() {
                    world.is_wrong(format!("life {life} ended with {status}"));
                }
            } else {
                server.signal("-KILL");
                drop(server);
            }
        }
        world.is_over.store(true, Ordering::Relaxed);
    });
    ended
}

/// Waits for the end of all exports, and checks each that was accepted. Returns how many are in which state.
fn settle(case: &Case, world: &World) -> (usize, usize) {
    let log = case.folder.path().join("log-last");
    let server = case.start(&log);
    let began = Instant::now();
    loop {
        let all = server.get("/exports?limit=1000").result(200);
        let unfinished: Vec<&Value> =
            all.as_array().unwrap().iter().filter(|it| it["finishedAt"].is_null()).collect();
        if unfinished.is_empty() {
            break;
        }
        assert!(began.elapsed() < END, "{unfinished:#?}");
        sleep(Duration::from_millis(200));
    }
    let (mut done, mut failed) = (0, 0);
    for id in world.accepted.lock().unwrap().iter() {
        let answer = server.get(&format!("/export/status/{id}"));
        assert_eq!(answer.status, 200, "export {id} is lost");
        let status = answer.result(200);
        match status["status"].as_str().unwrap() {
            "done" => {
                done += 1;
                let database = status["database"].as_str().unwrap();
                let (_, sha256) = world.dumps.iter().find(|(name, _)| name == database).unwrap();
                assert_eq!(status["sha256"], sha256.as_str(), "{status}");
                if !world.taken.lock().unwrap().contains(id) {
                    clients::verify(&server.url, &status, sha256).unwrap();
                }
            }
            "failed" => {
                failed += 1;
                assert!(status["error"].is_string(), "{status}");
            }
            other => panic!("{other}: {status}"),
        }
    }
    // At least this one fails, and has to say why.
    loop {
        let answer = server.get("/export/dump?database=damaged");
        if answer.status == 500 {
            let id = answer.header("x-request-id").to_owned();
            world.server_errors.lock().unwrap().push((500, id));
            break;
        }
        assert_eq!(answer.status, 202, "a damaged database has a dump");
        assert!(began.elapsed() < END);
    }
    server.signal("-TERM");
    assert!(server.ended().success());
    (done, failed)
}

fn run(lives: usize, each: Duration, sizes: &[(&str, u64)]) -> Vec<Life> {
    let (case, world) = Case::new(sizes);
    let ended = live(&case, &world, lives, each);
    let (done, failed) = settle(&case, &world);
    assert_eq!(*world.wrong.lock().unwrap(), [""; 0]);
    let last = case.folder.path().join("log-last");
    let log = Log::of(ended.iter().map(|life| life.log.as_path()).chain([last.as_path()]));
    let answered = log.server_errors();
    println!(
        "{done} exports done, {failed} failed, of {} accepted; {answered:?} answers with 5xx, each with its cause; {:?}",
        done + failed,
        world.counts
    );
    for (status, request) in world.server_errors.lock().unwrap().iter() {
        assert!(log.has_cause(request), "{status} for request {request} without a cause");
    }
    assert!(answered.contains_key(&500), "{answered:?}");
    assert!(done > failed && done > lives, "{done} done, {failed} failed");
    assert!(world.counts.verified.load(Ordering::Relaxed) > 0);
    ended
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

#[test]
fn a_service_in_trouble_loses_nothing() {
    let _turn = turn();
    run(4, Duration::from_secs(5), &[("small", 1), ("medium", 9)]);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn a_service_in_trouble_for_ten_minutes_loses_nothing_and_does_not_grow() {
    let _turn = turn();
    let lives = setting("PARTWAY_CHAOS_LIVES", 10) as usize;
    let each = Duration::from_secs(setting("PARTWAY_CHAOS_SECONDS", 60));
    let ended = run(lives, each, &[("small", 1), ("medium", 24)]);
    // The first life begins with nothing to do. Later ones may use a tenth more than the second.
    let most = ended[1].resident * 11 / 10;
    for (number, life) in ended.iter().enumerate().skip(2) {
        assert!(life.resident <= most, "{} MiB after life {number}, not {most}", life.resident);
        assert!(life.peak < 250, "{} MiB in life {number}", life.peak);
    }
}
