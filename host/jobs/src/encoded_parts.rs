//! Parts that are encoded on their way: several at a time on other threads, and in order again behind them.

use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;

use partway_codec::{BlockEncoder, EncodeError, EncodedStream};
use partway_store::{BufferReturn, FreeBuffers, PartSequence, part_buffers};
use partway_wasmtime::exporter::ExportError;
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{CallError, async_trait};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::job_error::JobError;

/// The most blocks that are in memory at a time, however many processors there are.
const MAX_BLOCKS: usize = 8;

/// Takes the component's parts as blocks of an encoded object.
///
/// A block is copied into a buffer and encoded from there; the buffer is free again when the block has been handed on, so a
/// store that is slower than the component makes it wait.
pub(crate) struct EncodedParts {
    sequence: PartSequence,
    encoder: BlockEncoder,
    free_buffers: FreeBuffers,
    runtime: Handle,
    blocks: mpsc::UnboundedSender<BlockEncoding>,
    failure: Arc<OnceLock<parts::Error>>,
}

/// A block that is being encoded.
type BlockEncoding = JoinHandle<(Vec<u8>, Result<Vec<u8>, EncodeError>)>;

/// Where an encoded object goes.
pub(crate) struct Target {
    pub(crate) parts: Box<dyn Parts>,
    /// The size of its parts but the last, in bytes.
    pub(crate) part_size: u32,
    /// Its parts so far.
    pub(crate) written: u32,
}

/// The pending result of [`EncodedParts`]. Dropping it ends the encoding.
pub(crate) struct PendingEncoding {
    sequencer: JoinHandle<Result<Sequencer, EncodingError>>,
}

/// Why a slice could not be encoded.
enum EncodingError {
    Encode(EncodeError),
    /// The target did not take a part.
    Write(parts::Error),
}

/// Encodes what is written from now on by `encoder`, behind what `stream` has. Must be called within a tokio runtime.
pub(crate) fn encode(
    encoder: BlockEncoder,
    stream: EncodedStream,
    target: Target,
) -> (EncodedParts, PendingEncoding) {
    let at_a_time = available_parallelism().map_or(1, usize::from) + 2;
    let (free_buffers, buffer_return) = part_buffers(at_a_time.min(MAX_BLOCKS));
    let (blocks, encoded) = mpsc::unbounded_channel();
    let failure = Arc::new(OnceLock::new());
    let sequence = PartSequence::after(stream.blocks(), stream.block_size(), u32::MAX);
    let sequencer = Sequencer { encoder: encoder.clone(), stream, target };
    let run = sequencer.run(encoded, buffer_return, failure.clone());
    let parts = EncodedParts {
        sequence,
        encoder,
        free_buffers,
        runtime: Handle::current(),
        blocks,
        failure,
    };
    (parts, PendingEncoding { sequencer: tokio::spawn(run.in_current_span()) })
}

#[async_trait]
impl Parts for EncodedParts {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.sequence.accept(number, bytes.len())?;
        let Some(buffer) = self.free_buffers.copy(bytes).await else { return Err(self.failure()) };
        let encoder = self.encoder.clone();
        let encoding = self.runtime.spawn_blocking(move || {
            let encoded = encoder.encode(number, &buffer);
            (buffer, encoded)
        });
        self.blocks.send(encoding).map_err(|_| self.failure())
    }
}

impl EncodedParts {
    /// Why no more blocks are taken. [`PendingEncoding::finish`] gives the full error.
    fn failure(&self) -> parts::Error {
        let unknown = || parts::Error::Failed("an earlier part could not be written".to_owned());
        self.failure.get().cloned().unwrap_or_else(unknown)
    }
}

/// Puts the encoded blocks in order, and hands on the parts that they make.
struct Sequencer {
    encoder: BlockEncoder,
    stream: EncodedStream,
    target: Target,
}

impl Sequencer {
    async fn run(
        mut self,
        mut encoded: mpsc::UnboundedReceiver<BlockEncoding>,
        buffers: BufferReturn,
        failure: Arc<OnceLock<parts::Error>>,
    ) -> Result<Self, EncodingError> {
        while let Some(encoding) = encoded.recv().await {
            let ended = encoding.await;
            let (block, encoded) = ended
                .map_err(|error| EncodingError::Encode(EncodeError::Compress(error.to_string())))?;
            let taken = async {
                self.stream.push(&encoded?, block.len() as u32)?;
                self.write_parts().await
            };
            if let Err(error) = taken.await {
                failure.set(error.for_component()).ok();
                return Err(error);
            }
            buffers.give_back(block);
        }
        Ok(self)
    }

    async fn write_parts(&mut self) -> Result<(), EncodingError> {
        while let Some(part) = self.stream.take_part(self.target.part_size as usize) {
            self.write(&part).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), EncodingError> {
        self.stream.end(&self.encoder)?;
        self.write_parts().await?;
        match self.stream.take_rest() {
            rest if rest.is_empty() => Ok(()),
            rest => self.write(&rest).await,
        }
    }

    async fn write(&mut self, part: &[u8]) -> Result<(), EncodingError> {
        let Target { parts, written, .. } = &mut self.target;
        parts.write(*written + 1, part).await.map_err(EncodingError::Write)?;
        *written += 1;
        Ok(())
    }
}

impl PendingEncoding {
    /// Waits until all blocks are handed on, but for the bytes that make no whole part: they are in the stream. If this was
    /// the last slice, nothing is left. The [`EncodedParts`] must be dropped before or meanwhile.
    pub(crate) async fn finish(mut self, is_last: bool) -> Result<EncodedStream, JobError> {
        let ended = (&mut self.sequencer).await;
        let mut sequencer = match ended {
            Ok(result) => result?,
            Err(error) => return Err(EncodeError::Compress(error.to_string()).into()),
        };
        if is_last {
            sequencer.end().await?;
        }
        Ok(sequencer.stream)
    }
}

impl Drop for PendingEncoding {
    fn drop(&mut self) {
        self.sequencer.abort();
    }
}

impl From<EncodeError> for EncodingError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl EncodingError {
    /// What the component is told.
    fn for_component(&self) -> parts::Error {
        match self {
            Self::Encode(error) => parts::Error::Failed(error.to_string()),
            Self::Write(error) => error.clone(),
        }
    }
}

impl From<EncodingError> for JobError {
    fn from(error: EncodingError) -> Self {
        let error = match error {
            EncodingError::Encode(error) => return Self::Encode(error),
            EncodingError::Write(error) => error,
        };
        // As the component would have passed it on.
        Self::Call(CallError::Exporter(match error {
            parts::Error::Full(text) => ExportError::TooLarge(text),
            parts::Error::Refused(text) | parts::Error::Failed(text) => {
                ExportError::WriteFailed(text)
            }
        }))
    }
}
