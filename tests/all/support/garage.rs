//! A server that we did not write and that keeps objects in earnest: Garage, which `cargo xtask test` starts.

use std::io::Write;
use std::time::SystemTime;

use partway_store::ObjectStore;

use crate::support::Program;

/// The server that the environment tells of.
#[derive(Debug)]
pub struct GarageServer {
    endpoint: String,
    region: String,
    access_key: String,
    secret_key: String,
    bucket: String,
}

/// The server; none, and a line that says so, where the environment has none.
pub fn garage() -> Option<GarageServer> {
    let variable = |name: &str| std::env::var(format!("PARTWAY_TEST_S3_{name}"));
    let Ok(endpoint) = variable("ENDPOINT") else {
        // Past the test harness, which keeps what a good test prints.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        writeln!(
            std::io::stderr(),
            "SKIPPED {test}: it needs a real S3 server; `cargo xtask test` starts one"
        )
        .ok();
        return None;
    };
    let needed = |name| variable(name).expect("all of PARTWAY_TEST_S3_*");
    Some(GarageServer {
        endpoint,
        region: needed("REGION"),
        access_key: needed("ACCESS_KEY"),
        secret_key: needed("SECRET_KEY"),
        bucket: needed("BUCKET"),
    })
}

impl GarageServer {
    /// A prefix that nobody else has, as a store's URL.
    pub fn prefix(&self, test: &str) -> String {
        let since = SystemTime::UNIX_EPOCH.elapsed().expect("a clock that is set");
        let unique = format!("{test}-{}-{}", std::process::id(), since.as_nanos());
        format!("s3://{}/{unique}", self.bucket)
    }

    /// A run of the program against it.
    pub fn with(&self, mut program: Program) -> Program {
        program.command.envs(self.settings());
        program
    }

    /// A store of the library at a URL that begins with this bucket.
    pub fn store(&self, url: &str) -> ObjectStore {
        let prefix = url
            .strip_prefix(&format!("s3://{}/", self.bucket))
            .expect("a prefix in the server's bucket");
        ObjectStore::with_settings(&self.bucket, prefix, self.settings()).expect("a client")
    }

    /// The variables that a client of it needs: endpoint, region, key and secret.
    pub fn settings(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.access_key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_key),
        ]
    }
}
