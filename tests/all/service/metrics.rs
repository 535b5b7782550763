//! What the service counts, read by Prometheus' own client.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{
    Receiver, Reply, SLOWLY, Server, ServiceCase as Case, WAIT_LIMIT, damage, of_many_pages,
    python_tools, read, tiny,
};

/// Reads the format as Prometheus' client in Python does, and prints each sample as `name{label=value,…} value`.
const READER: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.type != 'unknown' and family.documentation, family
    for sample in family.samples:
        labels = ','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))
        print(sample.name + '{' + labels + '}', sample.value, sep='\\t')
";

struct Samples(HashMap<String, f64>);

impl Samples {
    /// None where the reader is not installed.
    fn of(server: &Server) -> Option<Self> {
        let mut reader = Command::new(python_tools()?.join("python"))
            .args(["-c", READER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answer = server.get("/metrics");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
        reader.stdin.take().unwrap().write_all(&answer.body).unwrap();
        let output = reader.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&answer.body));
        let text = String::from_utf8(output.stdout).unwrap();
        let samples = text.lines().map(|line| {
            let (name, value) = line.split_once('\t').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Some(Self(samples.collect()))
    }

    #[track_caller]
    fn get(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.0))
    }
}

#[test]
fn what_an_export_does_is_counted() {
    let case = Case::new(4);
    let server = case.serve(SLOWLY);
    let Some(before) = Samples::of(&server) else { return };
    for state in ["done", "incomplete", "failed", "cancelled"] {
        let name = format!("partway_exports_total{{database=sample,state={state}}}");
        assert_eq!(before.get(&name), 0.0);
    }
    let id = server.post("/export/dump", "").accepted();
    server.until(&id, |status| status["slices"].as_u64() >= Some(2));
    let meanwhile = Samples::of(&server).unwrap();
    assert_eq!(meanwhile.get("partway_exports_unfinished{state=running}"), 1.0);
    assert!(meanwhile.get("partway_exported_parts_total{}") >= 2.0);

    let done = server.until(&id, |status| status["status"] == "done");
    let path = format!("/export/download/{id}");
    drop(server.get(&path));
    server.get("/export/status/0123456789abcdef").error(404);
    server.get("/nothing/at/all").error(404);
    server.ask("TRACE", "/healthz", &[], "").error(405);
    let after = Samples::of(&server).unwrap();
    for (name, field) in [("bytes", "bytes"), ("parts", "parts")] {
        let counted = after.get(&format!("partway_exported_{name}_total{{}}"));
        assert_eq!(counted, done[field].as_f64().unwrap(), "{name}");
    }
    assert_eq!(after.get("partway_exported_rows_total{}"), done["rows"]["done"].as_f64().unwrap());
    assert_eq!(after.get("partway_slice_seconds_count{}"), done["slices"].as_f64().unwrap());
    assert!(after.get("partway_slice_seconds_sum{}") > 0.0);
    assert_eq!(after.get("partway_exports_total{database=sample,state=done}"), 1.0);
    let bytes = done["bytes"].as_f64().unwrap();
    assert_eq!(after.get("partway_object_bytes_total{database=sample}"), bytes);
    assert_eq!(after.get("partway_last_good_export_bytes{database=sample}"), bytes);
    let slices = after.get("partway_slice_seconds_sum{}");
    for name in ["export_seconds_total", "last_good_export_duration_seconds"] {
        let seconds = after.get(&format!("partway_{name}{{database=sample}}"));
        assert!((seconds - slices).abs() < 0.01, "{name}: {seconds}, not {slices}");
    }
    assert_eq!(after.get("partway_exports_unfinished{state=running}"), 0.0);
    for (labels, count) in [
        ("method=POST,route=/export/dump,status=202", 1.0),
        ("method=GET,route=/export/download/{id},status=200", 1.0),
        ("method=GET,route=/export/status/{id},status=404", 1.0),
        // Whatever clients make up comes to no more than these.
        ("method=GET,route=none,status=404", 1.0),
        ("method=other,route=/healthz,status=405", 1.0),
        ("method=GET,route=/metrics,status=200", 2.0),
    ] {
        assert_eq!(
            after.get(&format!("partway_http_requests_total{{{labels}}}")),
            count,
            "{labels}"
        );
    }
    let download = "method=GET,route=/export/download/{id}";
    let durations = "partway_http_request_duration_seconds_count";
    assert_eq!(after.get(&format!("{durations}{{{download}}}")), 1.0);
    assert!(after.get("process_resident_memory_bytes{}") > 1e6);
    assert!(after.get("process_start_time_seconds{}") > 1.7e9);
    assert!(after.0.keys().any(|name| name.starts_with("partway_build_info{version=")));
}

#[test]
fn a_dump_that_is_streamed_is_counted() {
    let case = Case::new(24);
    let server = Server::start([case.file.to_str().unwrap()]);
    let mut response = server.open("GET", "/export/dump", &[], "");
    let Some(meanwhile) = Samples::of(&server) else { return };
    let streams = |end: &str| format!("partway_streams_total{{database=sample,end={end}}}");
    assert_eq!(meanwhile.get("partway_streams_open{}"), 1.0);
    assert_eq!(meanwhile.get(&streams("done")), 0.0);
    let bytes = read(&mut response).unwrap().len();
    drop(server.open("GET", "/export/dump", &[], ""));
    let began = std::time::Instant::now();
    let after = loop {
        let samples = Samples::of(&server).unwrap();
        // It is counted before it lets go of its place.
        if samples.get(&streams("broken_off")) == 1.0
            && samples.get("partway_streams_open{}") == 0.0
        {
            break samples;
        }
        assert!(began.elapsed() < WAIT_LIMIT);
    };
    assert_eq!(after.get(&streams("done")), 1.0);
    assert!(after.get("partway_streamed_bytes_total{}") >= bytes as f64);
}

/// The value of a sample, by its name and labels as the service writes them.
#[track_caller]
pub fn sample(server: &Server, name: &str) -> f64 {
    let text = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// Waits until a sample has this value.
#[track_caller]
fn until(server: &Server, name: &str, expected: f64) {
    let began = Instant::now();
    loop {
        let value = sample(server, name);
        if value == expected {
            return;
        }
        assert!(began.elapsed() < WAIT_LIMIT, "{name} is {value}, not {expected}");
        sleep(Duration::from_millis(20));
    }
}

/// Whether the alarm of the docs goes off for a database, so many hours from now.
#[track_caller]
fn is_alarming(server: &Server, database: &str, hours: f64) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SERVICE.md");
    let docs = fs::read_to_string(path).unwrap();
    let expression = docs.split_once("```promql\n").unwrap().1.split_once("\n```").unwrap().0;
    // `time() - METRIC > HOURS * 3600`, with a sample for each database.
    let (metric, limit) = expression.strip_prefix("time() - ").unwrap().split_once(" > ").unwrap();
    let limit: f64 = limit.strip_suffix(" * 3600").unwrap().parse().unwrap();
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs_f64() + hours * 3600.0;
    let value = sample(server, &format!("{metric}{{database=\"{database}\"}}"));
    now - value > limit * 3600.0
}

fn export(server: &Server, wish: &str) -> Value {
    let id = server.post("/export/dump", wish).accepted();
    server.until(&id, |status| status["finishedAt"].is_string())
}

#[test]
fn the_alarm_goes_off_where_there_is_no_good_export() {
    let folder = tempfile::tempdir().unwrap();
    let (tiny, damaged) = (tiny(folder.path()), of_many_pages(folder.path()));
    let own = [tiny.to_str().unwrap(), damaged.to_str().unwrap()];
    let server = Server::with_store(folder.path(), own);
    // Of what was never exported there is no good export.
    assert!(is_alarming(&server, "tiny", 0.0) && is_alarming(&server, "damaged", 0.0));
    export(&server, "");
    export(&server, r#"{"database": "damaged", "tables": ["t"]}"#);
    assert!(!is_alarming(&server, "tiny", 0.0) && !is_alarming(&server, "tiny", 25.9));
    assert!(is_alarming(&server, "tiny", 26.1));
    assert!(is_alarming(&server, "damaged", 0.0), "a part of it is not good enough");
    damage(&damaged);
    let incomplete = export(&server, r#"{"database": "damaged"}"#);
    assert_eq!(incomplete["status"], "incomplete");
    assert!(is_alarming(&server, "damaged", 0.0));
    let total = "partway_exports_total{database=\"damaged\",state=\"incomplete\"}";
    assert_eq!(sample(&server, total), 1.0);
    // Nor does it matter whether the service was restarted in between.
    server.signal("-KILL");
    drop(server);
    let server = Server::with_store(folder.path(), own);
    assert!(!is_alarming(&server, "tiny", 0.0) && is_alarming(&server, "tiny", 26.1));
    assert!(is_alarming(&server, "damaged", 0.0));
    assert_eq!(sample(&server, total), 1.0);
}

#[test]
fn a_schedule_that_skips_what_is_unchanged_does_not_raise_the_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let own = [file.to_str().unwrap(), "--every", "1s", "--jitter", "0s"];
    let server = Server::with_store(folder.path(), own);
    let runs = |result: &str| {
        format!("partway_schedule_runs_total{{database=\"tiny\",options=\"\",result=\"{result}\"}}")
    };
    until(&server, &runs("started"), 1.0);
    until(&server, &runs("skipped"), 2.0);
    let at = |name: &str| sample(&server, &format!("partway_{name}{{database=\"tiny\"}}"));
    let good = at("last_good_export_timestamp_seconds");
    let ended = "partway_last_export_timestamp_seconds{database=\"tiny\",state=\"done\"}";
    assert!(good > sample(&server, ended) + 0.5, "{good}");
    let of_schedule = |what: &str| {
        let name = format!("partway_schedule_{what}_run_timestamp_seconds");
        sample(&server, &format!("{name}{{database=\"tiny\",options=\"\"}}"))
    };
    let (last, next) = (of_schedule("last"), of_schedule("next"));
    assert!(next > last && next < last + 2.0, "{last}, {next}");
    assert_eq!(sample(&server, &runs("failed")), 0.0);
    // What can't be started is counted, and does not count as good.
    fs::rename(&file, folder.path().join("away")).unwrap();
    let began = Instant::now();
    while sample(&server, &runs("failed")) == 0.0 {
        assert!(began.elapsed() < WAIT_LIMIT);
        sleep(Duration::from_millis(20));
    }
    let good = at("last_good_export_timestamp_seconds");
    sleep(Duration::from_secs(2));
    assert_eq!(at("last_good_export_timestamp_seconds"), good);
}

#[test]
fn what_becomes_of_callbacks_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let receiver = Receiver::new(&[Reply::Status(500), Reply::Status(200), Reply::Status(410)]);
    let own = [file.to_str().unwrap(), "--callback-allow", "127.0.0.1"];
    let server = Server::with_store(folder.path(), own);
    let results =
        |result: &str| format!("partway_callbacks_total{{database=\"tiny\",result=\"{result}\"}}");
    let waiting = "partway_callbacks_waiting{database=\"tiny\"}";
    for name in [waiting, &results("delivered"), &results("failed"), &results("given_up")] {
        assert_eq!(sample(&server, name), 0.0, "{name}");
    }
    let wish = format!("{{\"callbackUrl\": \"{}\"}}", receiver.url);
    export(&server, &wish);
    until(&server, &results("failed"), 1.0);
    assert_eq!(sample(&server, waiting), 1.0);
    until(&server, &results("delivered"), 1.0);
    until(&server, waiting, 0.0);
    export(&server, &wish);
    until(&server, &results("given_up"), 1.0);
    until(&server, waiting, 0.0);
    assert_eq!(sample(&server, &results("failed")), 1.0);
}

#[test]
fn metrics_need_a_token_where_there_are_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let (file, tokens) = (tiny(folder.path()), folder.path().join("tokens"));
    fs::write(&tokens, "read reading-is-allowed\n").unwrap();
    let server = Server::start([file.to_str().unwrap(), "--token-file", tokens.to_str().unwrap()]);
    server.get("/metrics").error(401);
    let token = [("authorization", "Bearer reading-is-allowed")];
    assert_eq!(server.ask("GET", "/metrics", &token, "").status, 200);
}
