//! Callbacks, as those who are called see them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Received, Receiver, Reply, ReservedAddress, SLOWLY, Server, ServiceCase, tiny,
};

const SOON: Duration = Duration::from_secs(30);

/// What a receiver does that has the secret, in another language than this.
const VERIFY: &str = "
import base64, hashlib, hmac, sys
secret, message, timestamp, signature, body = sys.argv[1:]
is_base64 = secret.startswith('whsec_')
key = base64.b64decode(secret.removeprefix('whsec_')) if is_base64 else secret.encode()
signed = hmac.new(key, f'{message}.{timestamp}.{body}'.encode(), hashlib.sha256).digest()
assert hmac.compare_digest(signature, 'v1,' + base64.b64encode(signed).decode()), signature
";

#[track_caller]
fn is_signed(received: &Received, state: &Path) {
    is_signed_with(received, fs::read_to_string(state.join("callback-secret")).unwrap().trim());
}

#[track_caller]
pub fn is_signed_with(received: &Received, secret: &str) {
    let header = |name: &str| received.headers[name].as_str();
    let verified = Command::new("python3")
        .args(["-c", VERIFY, secret, header("webhook-id")])
        .args([header("webhook-timestamp"), header("webhook-signature"), &received.body])
        .status();
    assert!(verified.unwrap().success());
    let sent: u64 = header("webhook-timestamp").parse().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(sent.abs_diff(now) < 120, "{sent}");
}

fn callback(server: &Server, id: &str) -> Value {
    server.status(id)["callback"].clone()
}

#[track_caller]
fn wait_until(server: &Server, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    server.until(id, |status| is_wanted(&status["callback"]))["callback"].clone()
}

#[test]
fn a_callback_comes_signed_and_again_until_it_is_taken() {
    let case = ServiceCase::new(2);
    let receiver = Receiver::new(&[Reply::Status(500), Reply::Nothing, Reply::Status(204)]);
    let server = case.serve(["--callback-allow", "127.0.0.0/8"]);
    let wish = json!({ "name": "told.sql", "callbackUrl": receiver.url }).to_string();
    let id = server.post("/export/dump", &wish).accepted();
    let received = receiver.wait(3, SOON);
    let done = wait_until(&server, &id, |callback| callback["deliveredAt"].is_string());
    assert_eq!(done["attempts"], 3);
    assert!(done["error"].is_null() && done["nextTryAt"].is_null(), "{done}");
    for one in &received {
        assert_eq!(one.request, "POST /hook");
        assert_eq!(one.headers["content-type"], "application/json");
        assert!(one.headers["webhook-id"].starts_with(&id));
        assert_eq!(one.headers["webhook-id"], received[0].headers["webhook-id"]);
        is_signed(one, &case.folder.path().join("state"));
    }
    let message: Value = serde_json::from_str(&received[2].body).unwrap();
    assert_eq!(message["exportId"], id.as_str());
    assert_eq!(message["status"], "done");
    assert_eq!(message["r2Key"], "told.sql");
    assert_eq!(message["sha256"], case.reference.as_str());
    let location = message["location"].as_str().unwrap();
    assert_eq!(message["bytes"], fs::metadata(location).unwrap().len());
    case.is_whole(&server.get(message["downloadUrl"].as_str().unwrap()).body);
    // Once is enough.
    sleep(Duration::from_secs(3));
    assert_eq!(receiver.received().len(), 3);

    // A GET that is answered with the dump calls back as well.
    let path = format!("/export/dump?callbackUrl={}", receiver.url);
    assert_eq!(server.get(&path).status, 200);
    let received = receiver.wait(4, SOON);
    assert!(received[3].body.contains("\"done\""), "{received:?}");
}

#[test]
fn what_comes_to_nothing_is_told_as_well() {
    let case = ServiceCase::new(4);
    let receiver = Receiver::new(&[Reply::Status(200)]);
    let arguments = ["--callback-allow", "127.0.0.1", "--retries", "0"];
    let server = case.serve(SLOWLY.into_iter().chain(arguments));
    let wish = json!({ "callbackUrl": receiver.url }).to_string();
    let cancelled = server.post("/export/dump", &wish).accepted();
    server.until(&cancelled, |status| status["slices"].as_u64() >= Some(2));
    server.ask("DELETE", &format!("/export/{cancelled}"), &[], "").result(202);
    let message: Value = serde_json::from_str(&receiver.wait(1, SOON)[0].body).unwrap();
    assert_eq!(
        (&message["exportId"], &message["status"]),
        (&json!(cancelled), &json!("cancelled"))
    );

    let failed = server.post("/export/dump", &wish).accepted();
    server.until(&failed, |status| status["slices"].as_u64() >= Some(2));
    fs::remove_dir_all(case.folder.path().join("store")).unwrap();
    let message: Value = serde_json::from_str(&receiver.wait(2, SOON)[1].body).unwrap();
    assert_eq!((&message["exportId"], &message["status"]), (&json!(failed), &json!("failed")));
    assert!(message["error"].as_str().unwrap().contains("store"), "{message}");
    for nothing in ["location", "r2Key", "sha256"] {
        assert!(message[nothing].is_null(), "{message}");
    }
}

#[test]
fn a_callback_survives_the_service() {
    let case = ServiceCase::new(4);
    let address = ReservedAddress::new();
    let wish = json!({ "callbackUrl": address.url }).to_string();
    let own = ["--callback-allow", "127.0.0.1"];
    let server = case.serve(SLOWLY.into_iter().chain(own));
    let id = server.post("/export/dump", &wish).accepted();
    server.until(&id, |status| status["slices"].as_u64() >= Some(3));
    server.signal("-KILL");
    drop(server);

    let server = case.serve(own);
    let failed = wait_until(&server, &id, |callback| callback["error"].is_string());
    assert!(failed["error"].as_str().unwrap().contains("refused"), "{failed}");
    server.signal("-KILL");
    drop(server);

    let receiver = address.listen(&[Reply::Status(200)]);
    let server = case.serve(own);
    let received = receiver.wait(1, Duration::from_secs(60));
    is_signed(&received[0], &case.folder.path().join("state"));
    let message: Value = serde_json::from_str(&received[0].body).unwrap();
    assert_eq!(message["sha256"], case.reference.as_str());
    wait_until(&server, &id, |callback| callback["deliveredAt"].is_string());
}

#[test]
fn a_slow_receiver_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let slow = Receiver::at("127.0.0.2:0", &[Reply::Silence]);
    let prompt = Receiver::new(&[Reply::Status(200)]);
    let server = Server::with_store(
        folder.path(),
        [file.to_str().unwrap(), "--callback-allow", "127.0.0.0/8"],
    );
    let wish = |url: &str| json!({ "callbackUrl": url }).to_string();
    let waiting: Vec<String> =
        (0..20).map(|_| server.post("/export/dump", &wish(&slow.url)).accepted()).collect();
    slow.wait(1, SOON);
    let began = Instant::now();
    let id = server.post("/export/dump", &wish(&prompt.url)).accepted();
    prompt.wait(1, SOON);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    wait_until(&server, &id, |callback| callback["deliveredAt"].is_string());
    // As many at a time as one host is given.
    assert!(slow.received().len() <= 2);
    assert!(callback(&server, &waiting[19])["deliveredAt"].is_null());
    // Nor does it keep the service from stopping, for longer than a receiver may take.
    let began = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn callbacks_go_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    let receiver = Receiver::new(&[Reply::Redirect]);
    let closed = Server::with_store(folder.path(), [file.to_str().unwrap()]);
    let here = &receiver.url[7..];
    for url in [
        format!("http://{here}"),
        format!("https://{here}"),
        format!("https://{}", here.replace("127.0.0.1", "localhost")),
        format!("https://{}", here.replace("127.0.0.1", "[::ffff:127.0.0.1]")),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://192.168.1.1/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "https://0/".to_owned(),
        "https://user@1.1.1.1/".to_owned(),
        "http://1.1.1.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "hook".to_owned(),
        format!("https://1.1.1.1/{}", "a".repeat(2100)),
    ] {
        let wish = json!({ "callbackUrl": url }).to_string();
        let error = closed.post("/export/dump", &wish).error(400);
        assert!(error.contains("callbackUrl can't be used"), "{error}");
        closed.get(&format!("/export/dump?callbackUrl={url}")).error(400);
    }
    assert_eq!(closed.get("/exports").result(200), json!([]));

    // What is allowed is, and leads nowhere else.
    let own = [file.to_str().unwrap(), "--callback-allow", "127.0.0.1"];
    let server = Server::with_store(&open, own);
    let wish = json!({ "callbackUrl": receiver.url }).to_string();
    let id = server.post("/export/dump", &wish).accepted();
    let failed = wait_until(&server, &id, |callback| callback["attempts"].as_u64() >= Some(2));
    assert!(failed["error"].as_str().unwrap().contains("307"), "{failed}");
    assert!(receiver.received().iter().all(|one| one.request == "POST /hook"));
    // An export that is streamed ends with its answer.
    let streaming = Server::start([file.to_str().unwrap()]);
    streaming.get("/export/dump?callbackUrl=https://1.1.1.1/").error(400);
}

#[test]
fn a_secret_that_can_t_be_used_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let secret = folder.path().join("secret");
    fs::write(&secret, "short").unwrap();
    let output = Command::new(crate::support::program())
        .args(["serve", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--store"])
        .arg(folder.path())
        .args(["--callback-secret-file", secret.to_str().unwrap()])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("fewer than 16 bytes"), "{printed}");
    assert_eq!(output.status.code(), Some(2));
}
