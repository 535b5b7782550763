//! An S3 server over HTTP whose buckets are folders, and whose answers can be made to go wrong.

mod bucket;
mod fault;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use partway_store::ObjectStore;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use self::bucket::{Buckets, Uploads};
use self::fault::Plan;
use crate::support::{Program, runtime};

pub use self::fault::{Fault, Request};

/// A server with one bucket, `exports`.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    folder: TempDir,
    plan: Arc<Plan>,
    uploads: Uploads,
    refused: Arc<AtomicU32>,
    _runtime: Runtime,
}

impl S3Server {
    /// Starts it, on a port that is free.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("exports")).unwrap();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let uploads = Uploads::default();
        let refused = Arc::new(AtomicU32::default());
        let mut service = S3ServiceBuilder::new(Buckets {
            files,
            root: folder.path().to_owned(),
            uploads: uploads.clone(),
            completing: tokio::sync::Mutex::default(),
            refused: refused.clone(),
        });
        service.set_auth(SimpleAuth::from_single("key", "secret"));
        let service = service.build();
        let plan = Arc::new(Plan::default());
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn({
            let plan = plan.clone();
            async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(serve(socket, service.clone(), plan.clone()));
                }
            }
        });
        Self { address, folder, plan, uploads, refused, _runtime: runtime }
    }

    /// An export to this server.
    pub fn export(&self, database: &Path, bucket: &str, folder: &Path) -> Program {
        self.with(Program::export(database, &format!("s3://{bucket}/nightly"), folder))
    }

    /// A run of the program against this server.
    pub fn with(&self, program: Program) -> Program {
        s3_against(self.address, program)
    }

    /// The library's store for a prefix of the bucket. It gives up waiting for an answer after two seconds: soon enough
    /// for faults, and not too soon for a server on a busy machine.
    pub fn store(&self, prefix: &str) -> ObjectStore {
        let endpoint = format!("http://{}", self.address);
        let mut settings = settings(&endpoint).to_vec();
        settings.push(("AWS_READ_TIMEOUT", "2s"));
        ObjectStore::with_settings("exports", prefix, settings).expect("a client")
    }

    /// The file of an object under `nightly`.
    pub fn object(&self, name: &str) -> PathBuf {
        self.folder.path().join("exports/nightly").join(name)
    }

    /// The parts of unfinished uploads that the server holds: name and size.
    pub fn parts(&self) -> BTreeMap<String, u64> {
        let entries = fs::read_dir(self.folder.path()).unwrap().filter_map(Result::ok);
        entries
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let length = entry.metadata().ok()?.len();
                name.contains(".part-").then_some((name, length))
            })
            .collect()
    }

    /// The `nth` request of a kind from now on, counted from 1, meets a fault.
    pub fn fail(&self, request: Request, nth: u32, fault: Fault) {
        self.plan.add(request, nth, fault);
    }

    /// No fault is to come any more.
    pub fn spare(&self) {
        self.plan.clear();
    }

    /// How many requests of a kind came, those with faults too.
    pub fn came(&self, request: Request) -> u32 {
        self.plan.came(request)
    }

    /// How often a fault met a request.
    pub fn hit(&self, request: Request, fault: Fault) -> u32 {
        self.plan.hit(request, fault)
    }

    /// How many completions were refused because an object had the key.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lets all uploads expire.
    pub fn forget_uploads(&self) {
        self.uploads.lock().unwrap().clear();
    }
}

fn settings(endpoint: &str) -> [(&str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]
}

/// A run of the program against a server with the same key as [`S3Server`].
pub fn s3_against(address: SocketAddr, mut program: Program) -> Program {
    program.command.envs(settings(&format!("http://{address}")));
    program
}

type S3Response = hyper::Response<s3s::Body>;

async fn serve(socket: tokio::net::TcpStream, service: S3Service, plan: Arc<Plan>) {
    // A second handle, to do to the connection what a server of HTTP would not.
    let socket = socket.into_std().unwrap();
    let handle = Arc::new(socket.try_clone().unwrap());
    let socket = tokio::net::TcpStream::from_std(socket).unwrap();
    let answers = service_fn(move |request: hyper::Request<Incoming>| {
        answer(request, service.clone(), plan.clone(), handle.clone())
    });
    // A client that goes away, killed, is no failure of the server.
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), answers)
        .await
        .ok();
}

/// Does a request, or what its fault says. An error ends the connection.
async fn answer(
    request: hyper::Request<Incoming>,
    service: S3Service,
    plan: Arc<Plan>,
    socket: Arc<TcpStream>,
) -> Result<S3Response, Box<dyn std::error::Error + Send + Sync>> {
    let kind = Request::of(request.method(), request.uri().query().unwrap_or_default());
    let fault = plan.next(kind);
    let done = |request| async {
        let request: hyper::Request<Incoming> = request;
        // A server goes on with what it has begun, also when the client has gone.
        let service = service.clone();
        let call = tokio::spawn(async move { service.call(request.map(Into::into)).await });
        Ok::<S3Response, Box<dyn std::error::Error + Send + Sync>>(call.await??)
    };
    match fault {
        None => done(request).await,
        Some(Fault::InternalError) => refusal(request, 500, "InternalError").await,
        Some(Fault::SlowDown) => refusal(request, 503, "SlowDown").await,
        Some(Fault::NoSuchUpload) => refusal(request, 404, "NoSuchUpload").await,
        Some(Fault::ResetBefore) => {
            reset(&socket);
            Err("reset before".into())
        }
        Some(Fault::ResetAfter) => {
            done(request).await?.into_body().collect().await?;
            reset(&socket);
            Err("reset after".into())
        }
        Some(Fault::HalfAnswer) => {
            let (head, body) = done(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            let mut text =
                format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", head.status, body.len());
            if body.is_empty() {
                // Nothing to cut off but the head itself.
                text.push_str("etag: \"0123");
            } else {
                text.push_str("\r\n");
            }
            let half = [text.as_bytes(), &body[..body.len() / 2]].concat();
            (&*socket).write_all(&half)?;
            socket.shutdown(Shutdown::Both)?;
            Err("half an answer".into())
        }
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Err("hung".into())
        }
    }
}

/// Refuses a request as Amazon's server does, when it has come whole.
async fn refusal(
    request: hyper::Request<Incoming>,
    status: u16,
    code: &str,
) -> Result<S3Response, Box<dyn std::error::Error + Send + Sync>> {
    request.into_body().collect().await?;
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code>\
         <Message>as planned</Message></Error>"
    );
    Ok(hyper::Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(s3s::Body::from(body))?)
}

/// Lets the connection end by a reset.
fn reset(socket: &TcpStream) {
    // With nothing to linger for, the system resets a connection when the last handle is closed.
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}
