//! What the service counts, read by Prometheus' own client.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{SLOWLY, Server, ServiceCase as Case, WAIT_LIMIT, python_tools, read, tiny};

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
    for state in ["done", "failed", "cancelled"] {
        assert_eq!(before.get(&format!("partway_exports_total{{state={state}}}")), 0.0);
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
    assert_eq!(after.get("partway_exports_total{state=done}"), 1.0);
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
    assert_eq!(meanwhile.get("partway_streams_open{}"), 1.0);
    assert_eq!(meanwhile.get("partway_streams_total{end=done}"), 0.0);
    let bytes = read(&mut response).unwrap().len();
    drop(server.open("GET", "/export/dump", &[], ""));
    let began = std::time::Instant::now();
    let after = loop {
        let samples = Samples::of(&server).unwrap();
        if samples.get("partway_streams_total{end=broken_off}") == 1.0 {
            break samples;
        }
        assert!(began.elapsed() < WAIT_LIMIT);
    };
    assert_eq!(after.get("partway_streams_total{end=done}"), 1.0);
    assert_eq!(after.get("partway_streams_open{}"), 0.0);
    assert!(after.get("partway_streamed_bytes_total{}") >= bytes as f64);
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
