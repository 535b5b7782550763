//! A loaded codec component, which encodes objects block by block.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use sha2::{Digest, Sha256};
use wasmtime::component::Linker;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::answer::shorten;
use crate::bindings::codec::{Generated, GeneratedPre};
use crate::engine;
use crate::error::{CallError, LoadError, read_component};
use crate::limits::{Limiter, Limits};

pub use crate::bindings::codec::codec::{Description, Error, Options};

const WORLD: &str = "partway:pipe/codec-component@0.1.0";

/// How much longer than twice its block an encoding may be, in bytes.
const MARGIN: usize = 64 * 1024;

/// The most bytes of a suffix, a media type and an object's first bytes.
const MAX_SUFFIX: usize = 32;
const MAX_MEDIA_TYPE: usize = 128;
const MAX_HEAD: usize = 64 * 1024;

/// How many characters of a suffix or media type that can't be used are in the error.
const SHOWN: usize = 200;

/// Why a codec has encoded nothing.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It can't be used with these options.
    #[error("the codec refuses the options: {0}")]
    InvalidOptions(String),
    /// It says that it failed.
    #[error("the codec failed: {0}")]
    Failed(String),
    /// What it returned is longer than the contract lets it be.
    #[error(
        "the codec broke the contract: it returned {bytes} bytes for {what}, but may return {limit}"
    )]
    TooLong {
        /// What it was asked for.
        what: &'static str,
        /// What it returned.
        bytes: usize,
        /// How much it may return.
        limit: usize,
    },
    /// Its suffix or its media type can't be used.
    #[error("the codec broke the contract: its {what} is {text:?}")]
    Description {
        /// Which of them.
        what: &'static str,
        /// What it returned.
        text: String,
    },
    /// It needs more memory than it is allowed.
    #[error("the codec needs more than its {} MiB of memory", .0.memory / (1024 * 1024))]
    OutOfMemory(Limits),
    /// It did not return.
    #[error("the codec was stopped: it had run for {} s and not returned", .0.overrun.as_secs())]
    Overrun(Limits),
    /// It failed in another way: an error in the component.
    #[error("the codec crashed: {0}")]
    Trap(String),
}

/// A codec component, compiled and ready, within [`Limits`]. Clones share it. It needs more processor time than native code:
/// where there is a library for an encoding, use that.
///
/// [`Codec::start`] says what an encoded object is. Any number of [`Encoder`]s, each in an instance and on a thread of its
/// own, encode its blocks, in any order. [`Codec::finish`] gives its end. Nothing else is needed to go on with an object that
/// was begun elsewhere.
#[derive(Clone)]
pub struct Codec {
    component: GeneratedPre<CodecState>,
    limits: Limits,
    digest: String,
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// The data of an instance's store.
struct CodecState {
    limiter: Limiter,
    began: Instant,
}

impl Codec {
    /// Loads a component from a file.
    ///
    /// # Errors
    ///
    /// All of [`LoadError`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        Self::new(&read_component(path)?)
    }

    /// Loads a component from its bytes, in an engine that this process shares.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`], [`LoadError::OtherWorld`] and [`LoadError::Engine`].
    pub fn new(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::with_engine(engine::compiling().map_err(LoadError::engine)?, bytes)
    }

    /// Loads a component from its bytes, in your own engine, whose
    /// [epochs](wasmtime::Config::epoch_interruption) something must advance: a [`Ticker`](crate::Ticker), say.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAComponent`] and [`LoadError::OtherWorld`].
    pub fn with_engine(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        let component = engine::compile(engine, bytes)?;
        let component = Linker::new(engine)
            .instantiate_pre(&component)
            .and_then(GeneratedPre::new)
            .map_err(|error| LoadError::other_world(WORLD, &error))?;
        let digest = base16ct::lower::encode_string(&Sha256::digest(bytes));
        Ok(Self { component, limits: Limits::default(), digest })
    }

    /// Sets what an instance may use. The memory must hold a block and its encoding.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The SHA-256 of the component's bytes, in hexadecimal digits. An object is encoded by one component only.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Checks the options, and says what an encoded object is.
    ///
    /// # Errors
    ///
    /// All of [`CodecError`].
    pub fn start(&self, options: &Options) -> Result<Description, CodecError> {
        let description = self
            .encoder(options)?
            .call(|component, store| component.partway_pipe_codec().call_start(store, options))?;
        let Description { suffix, media_type, head } = &description;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let is_suffix = (2..=MAX_SUFFIX).contains(&suffix.len())
            && suffix.starts_with('.')
            && suffix.bytes().all(is_plain);
        if !is_suffix {
            return Err(CodecError::Description {
                what: "suffix",
                text: suffix.chars().take(SHOWN).collect(),
            });
        }
        let is_media_type = media_type.len() <= MAX_MEDIA_TYPE
            && media_type.contains('/')
            && media_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !is_media_type {
            return Err(CodecError::Description {
                what: "media type",
                text: media_type.chars().take(SHOWN).collect(),
            });
        }
        bounded("the object's first bytes", head.len(), MAX_HEAD)?;
        Ok(description)
    }

    /// An instance for blocks of an object with these options.
    ///
    /// # Errors
    ///
    /// [`CodecError::Trap`], if there is no memory for it.
    pub fn encoder(&self, options: &Options) -> Result<Encoder, CodecError> {
        let Limits { memory, overrun, .. } = self.limits;
        let state = CodecState { limiter: Limiter::new(self.limits), began: Instant::now() };
        let mut store = Store::new(self.component.engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(memory);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |store| {
            let is_over = store.data().began.elapsed() > overrun;
            Ok(if is_over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
        });
        let component = self.component.instantiate(&mut store);
        let component = component.map_err(|error| failed(&error, &store))?;
        Ok(Encoder { component, store, options: options.clone() })
    }

    /// The last bytes of an object of so many bytes, whose blocks' encodings have these sizes.
    ///
    /// # Errors
    ///
    /// All of [`CodecError`].
    pub fn finish(
        &self,
        options: &Options,
        length: u64,
        sizes: &[u32],
    ) -> Result<Vec<u8>, CodecError> {
        let tail = self.encoder(options)?.call(|component, store| {
            component.partway_pipe_codec().call_finish(store, options, length, sizes)
        })?;
        bounded("the object's end", tail.len(), self.limits.memory)?;
        Ok(tail)
    }
}

/// An instance of a codec, for blocks of one object. It may be used for one block after another; after an error it is of no
/// further use.
pub struct Encoder {
    component: Generated,
    store: Store<CodecState>,
    options: Options,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// Encodes the block of this number, counted from 1.
    ///
    /// # Errors
    ///
    /// All of [`CodecError`].
    pub fn encode(&mut self, number: u32, block: &[u8]) -> Result<Vec<u8>, CodecError> {
        let options = self.options.clone();
        let encoded = self.call(|component, store| {
            component.partway_pipe_codec().call_encode(store, &options, number, block)
        })?;
        bounded("a block", encoded.len(), 2 * block.len() + MARGIN)?;
        Ok(encoded)
    }

    fn call<T>(
        &mut self,
        call: impl FnOnce(&Generated, &mut Store<CodecState>) -> wasmtime::Result<Result<T, Error>>,
    ) -> Result<T, CodecError> {
        self.store.data_mut().began = Instant::now();
        let answer = call(&self.component, &mut self.store);
        answer.map_err(|error| failed(&error, &self.store))?.map_err(|error| match error {
            Error::InvalidOptions(text) => CodecError::InvalidOptions(shorten(text)),
            Error::Failed(text) => CodecError::Failed(shorten(text)),
        })
    }
}

fn failed(error: &wasmtime::Error, store: &Store<CodecState>) -> CodecError {
    match CallError::within(error, &store.data().limiter) {
        CallError::OutOfMemory(limits) => CodecError::OutOfMemory(limits),
        CallError::Overrun(limits) => CodecError::Overrun(limits),
        CallError::Trap(text) => CodecError::Trap(text),
        other => CodecError::Trap(other.to_string()),
    }
}

fn bounded(what: &'static str, bytes: usize, limit: usize) -> Result<(), CodecError> {
    if bytes > limit { Err(CodecError::TooLong { what, bytes, limit }) } else { Ok(()) }
}
