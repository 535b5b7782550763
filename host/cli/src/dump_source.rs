//! Where a dump is read from: an object of a store or at a URL, a file, a pipe, or standard input.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::stream::{self, BoxStream, StreamExt};
use partway_jobs::manifest_name;
use partway_store::{HttpObject, Store, read_in_ranges};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::arguments::Dump;
use crate::failure::Failure;

/// How much of standard input is read at a time, at most.
const CHUNK: usize = 256 * 1024;

/// How many chunks may wait to be worked on while more are read.
const MAX_WAITING: usize = 2;

/// The variable with the bearer token for URLs.
const TOKEN: &str = "PARTWAY_TOKEN";

/// The bytes of a dump, in order.
type Chunks = BoxStream<'static, anyhow::Result<Bytes>>;

/// Where a dump is read from.
pub enum DumpSource {
    StandardInput,
    Object { store: Arc<dyn Store>, name: String },
    Url(HttpObject),
}

impl DumpSource {
    /// Opens the store, if it is in one. Nothing is read yet.
    pub fn open(dump: &Dump) -> Result<Self, Failure> {
        Ok(match dump {
            Dump::StandardInput => Self::StandardInput,
            Dump::Object(address) => {
                Self::Object { store: address.store.open()?, name: address.name.clone() }
            }
            Dump::Url(url) => {
                let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
                Self::Url(HttpObject::new(url.clone(), token.as_deref())?)
            }
        })
    }

    /// The object's manifest, if there is one beside it.
    pub async fn manifest(&self) -> anyhow::Result<Option<Self>> {
        let Self::Object { store, name } = self else { return Ok(None) };
        let name = manifest_name(name);
        Ok(match store.stat(&name).await {
            Ok(_) => Some(Self::Object { store: store.clone(), name }),
            // Not there, or not to be seen: it is an addition.
            Err(_) => None,
        })
    }

    /// All of it.
    pub async fn read_whole(&self, most: usize) -> anyhow::Result<Vec<u8>> {
        let DumpReading { mut chunks, .. } = self.read().await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > most {
                bail!("{} is larger than {}", self.location(), ByteSize::b(most as u64));
            }
        }
        Ok(bytes)
    }

    /// What it is called in messages.
    pub fn location(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::Object { store, name } => store.location(name),
            Self::Url(object) => object.location(),
        }
    }

    /// What it is called behind its hash, as by `sha256sum`.
    pub fn hashed_name(&self) -> String {
        match self {
            Self::StandardInput => "-".to_owned(),
            Self::Object { .. } | Self::Url(_) => self.location(),
        }
    }

    /// Starts reading.
    ///
    /// # Errors
    ///
    /// Where it can't be read.
    pub async fn read(&self) -> anyhow::Result<DumpReading> {
        let (length, chunks) = match self {
            Self::StandardInput => {
                return Ok(DumpReading { length: None, chunks: standard_input() });
            }
            Self::Object { store, name } => read_in_ranges(store.clone(), name).await?,
            Self::Url(object) => object.read().await?,
        };
        let chunks = chunks.map(|chunk| chunk.map_err(anyhow::Error::from)).boxed();
        Ok(DumpReading { length, chunks })
    }
}

/// A dump that is being read.
pub struct DumpReading {
    /// How long it is, in bytes; none if that is known only at its end.
    pub length: Option<u64>,
    chunks: Chunks,
}

impl DumpReading {
    /// Reads it, and works on its bytes on another thread meanwhile. That may end early, for what is no dump.
    ///
    /// # Errors
    ///
    /// Where it can't be read. What the work itself comes to, an error too, is the value.
    pub async fn work_on<T: Send + 'static>(
        mut self,
        work: impl FnOnce(mpsc::Receiver<Bytes>) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let working = spawn_blocking(move || work(receiver));
        loop {
            let chunk = tokio::select! {
                () = sender.closed() => break,
                chunk = self.chunks.next() => chunk,
            };
            let Some(chunk) = chunk else { break };
            sender.send(chunk?).await.ok();
        }
        drop(sender);
        working.await.context("the work on the dump ended unexpectedly")
    }
}

/// Standard input, read on a thread that the program does not wait for when it ends: what writes to it may take its time.
fn standard_input() -> Chunks {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = match input.read(&mut chunk) {
                Ok(0) => return,
                Ok(length) => {
                    chunk.truncate(length);
                    Ok(Bytes::from(chunk))
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(anyhow!("standard input can't be read: {error}")),
            };
            let is_over = read.is_err();
            if sender.blocking_send(read).is_err() || is_over {
                return;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
        .boxed()
}
