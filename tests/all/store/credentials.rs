//! Where the program looks for an access key, and what it says where there is none or a wrong one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{GarageServer, Program, S3Server, database, garage, summary};

/// A database, and a home without anything in it.
struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small.db");
        drop(database(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
        fs::create_dir_all(folder.path().join("home/.aws")).unwrap();
        Self { folder, file }
    }

    /// An export by a user of this home, without any variable of AWS's.
    fn export(&self, store: &str) -> Program {
        let mut program = Program::export(&self.file, store, self.folder.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            program.command.env_remove(name);
        }
        program.command.env("HOME", self.folder.path().join("home"));
        program
    }

    fn profile(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join("home/.aws").join(file), text).unwrap();
    }
}

fn with_variables(mut program: Program, variables: &[(&str, &str)]) -> Program {
    program.command.envs(variables.iter().copied());
    program
}

/// Some seconds, on a machine that is busy with other tests; trying again would take minutes.
const SOON: Duration = Duration::from_secs(30);

/// It fails soon, and says all of this.
#[track_caller]
fn fails_at_once(program: Program, expected: &[&str]) {
    let began = Instant::now();
    let output = program.run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{printed}");
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(began.elapsed() < SOON, "{:?}: {printed}", began.elapsed());
    for expected in expected {
        assert!(printed.contains(expected), "no {expected:?}: {printed}");
    }
    assert!(!printed.contains("trying again"), "{printed}");
}

/// What is always named where there is no key.
const LOOKED_FOR: [&str; 5] = [
    "no access key was found",
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "\"default\"",
    "home/.aws/credentials",
    "home/.aws/config",
];

#[test]
fn without_a_key_it_is_said_at_once_what_was_looked_for() {
    let case = Case::new();
    // Takes connections, and never answers: as a network that swallows what goes to the metadata service.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for address in [silent.as_str(), "http://127.0.0.1:1"] {
        let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)];
        let program = with_variables(case.export("s3://bucket/x"), &variables);
        fails_at_once(
            program,
            &[&LOOKED_FOR[..], &["AWS_CONTAINER", "metadata", address]].concat(),
        );
    }
    let variables = [("AWS_EC2_METADATA_DISABLED", "true")];
    fails_at_once(with_variables(case.export("s3://bucket/x"), &variables), &LOOKED_FOR);
    fails_at_once(case.export("r2://account/bucket"), &LOOKED_FOR);
    // Wherever this machine is: nothing is asked for minutes.
    fails_at_once(case.export("s3://bucket/x"), &LOOKED_FOR);
}

#[test]
fn a_profile_that_can_not_be_used_says_why() {
    let case = Case::new();
    case.profile(
        "config",
        "[profile process]\ncredential_process = /bin/x\n[profile single]\nsso_session = a\n",
    );
    for (profile, expected) in [
        ("process", ["credential_process", "export-credentials --profile process"]),
        ("single", ["sso_session", "export-credentials --profile single"]),
        ("none", ["\"none\"", "home/.aws/credentials"]),
    ] {
        let variables = [("AWS_PROFILE", profile)];
        fails_at_once(with_variables(case.export("s3://bucket/x"), &variables), &expected);
    }
}

#[test]
fn a_wrong_key_is_named_at_once() {
    let case = Case::new();
    let server = S3Server::start();
    let wrong = |program| with_variables(program, &[("AWS_SECRET_ACCESS_KEY", "wrong")]);
    let expected = ["s3://exports/x", "access key", "403"];
    fails_at_once(wrong(server.with(case.export("s3://exports/x"))), &expected);
    let Some(garage) = garage() else { return };
    let store = garage.prefix("wrong");
    fails_at_once(wrong(garage.with(case.export(&store))), &["access key", "403"]);
}

/// The files that a profile of this server is in.
fn write_profile(case: &Case, garage: &GarageServer, name: &str) {
    let [endpoint, region, key, secret] = garage.settings().map(|(_, value)| value);
    let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    case.profile("config", &format!("[{section}]\nregion = {region}\nendpoint_url = {endpoint}\n"));
    let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
    case.profile("credentials", &format!("[{name}]\n{keys}"));
}

#[test]
fn a_profile_is_all_that_an_export_to_a_real_server_needs() {
    let Some(garage) = garage() else { return };
    let case = Case::new();
    let store = garage.prefix("profile");
    write_profile(&case, &garage, "default");
    let first = summary(&case.export(&store).run());
    assert!(first["location"].as_str().unwrap().starts_with(&store), "{first}");
    write_profile(&case, &garage, "mine");
    let mine = with_variables(case.export(&store), &[("AWS_PROFILE", "mine")]);
    assert_eq!(summary(&mine.run())["sha256"], first["sha256"]);
    // Elsewhere than in the home.
    let home = case.folder.path().join("home/.aws");
    let file = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let (config, credentials) = (file("config-2"), file("credentials-2"));
    fs::rename(file("config"), &config).unwrap();
    fs::rename(file("credentials"), &credentials).unwrap();
    let elsewhere = [
        ("AWS_PROFILE", "mine"),
        ("AWS_CONFIG_FILE", config.as_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str()),
    ];
    assert_eq!(
        summary(&with_variables(case.export(&store), &elsewhere).run())["sha256"],
        first["sha256"]
    );
}

/// What clouds answer their machines and containers, with the key of [`S3Server`].
fn cloud() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let body = if request.contains("/api/token") {
                "token"
            } else if request.contains("/security-credentials/ ") {
                "role"
            } else {
                r#"{"AccessKeyId": "key", "SecretAccessKey": "secret", "Token": "",
                    "Expiration": "2100-01-01T00:00:00Z", "Code": "Success", "LastUpdated": "2020-01-01T00:00:00Z"}"#
            };
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close", body.len());
            write!(socket, "{head}\r\n\r\n{body}").unwrap();
        }
    });
    address
}

#[test]
fn machines_and_containers_of_clouds_need_no_key() {
    let server = S3Server::start();
    let url = format!("http://{}", cloud());
    let token_file = |folder: &Path| {
        let file = folder.join("token");
        fs::write(&file, "token").unwrap();
        file.to_str().unwrap().to_owned()
    };
    for is_container in [false, true] {
        let case = Case::new();
        let token_file = token_file(case.folder.path());
        let mut program = server.with(case.export("s3://exports/nightly"));
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            program.command.env_remove(name);
        }
        let container = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file.as_str()),
        ];
        let machine = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())];
        let variables = if is_container { &container[..] } else { &machine[..] };
        summary(&with_variables(program, variables).run());
    }
}
