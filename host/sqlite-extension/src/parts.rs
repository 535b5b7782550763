//! A dump's parts, made one at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use partway_jobs::IdleSlices;
use partway_store::{PartSequence, StoreLimits, part_size};
use partway_wasmtime::exporter::{Budget, Exporter, Outcome};
use partway_wasmtime::pacing::Pacing;
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{Limits, PipeCtx, async_trait};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::lease::Lease;
use crate::options::Options;

/// Parts for SQL: of any size that the component makes, and any number.
const LIMITS: StoreLimits = StoreLimits {
    smallest_part: 4096,
    largest_part: 1024 * 1024 * 1024,
    most_parts: u32::MAX,
    in_flight: 1,
};

/// One part.
#[derive(Debug)]
pub(crate) struct Part {
    /// Counted from 1.
    pub(crate) number: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A dump, of which each slice makes one part: between two of them, nothing is open but the database's state.
pub(crate) struct PartMaker {
    lease: Lease,
    exporter: Exporter,
    part_size: u32,
    /// None: the dump is at its end.
    checkpoint: Option<String>,
    written: u32,
    idle: IdleSlices,
    ready: VecDeque<Part>,
}

impl PartMaker {
    /// Begins a dump.
    pub(crate) fn begin(lease: Lease, options: &Options) -> Result<Self, Error> {
        let part_size = part_size(options.part_size, lease.bytes(), LIMITS)?;
        let exporter = Exporter::prebuilt_for(&options.format)?;
        let for_component = options.for_component(part_size);
        let checkpoint = lease.read(|snapshot, _| Ok(exporter.start(snapshot, &for_component)?))?;
        Ok(Self {
            lease,
            exporter,
            part_size,
            checkpoint: Some(checkpoint),
            written: 0,
            idle: IdleSlices::default(),
            ready: VecDeque::new(),
        })
    }

    /// The next part; none: that was the last.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, Error> {
        // Before the first part there may be slices without any.
        while self.ready.is_empty()
            && let Some(checkpoint) = self.checkpoint.take()
        {
            self.slice(&checkpoint)?;
        }
        Ok(self.ready.pop_front())
    }

    fn slice(&mut self, checkpoint: &str) -> Result<(), Error> {
        self.lease.check_unchanged()?;
        let collected = Collected {
            sequence: PartSequence::after(self.written, self.part_size, LIMITS.most_parts),
            parts: Arc::default(),
        };
        let parts = collected.parts.clone();
        let limits = Limits::for_part_size(self.part_size);
        let outcome = self.lease.read(|snapshot, stop| {
            let ctx = PipeCtx::builder()
                .pacing(UntilInterrupted(stop))
                .limits(limits)
                .build(snapshot, collected);
            Ok(self.exporter.resume(ctx, checkpoint, Budget { parts: 1 })?)
        })?;
        self.ready.append(&mut parts.lock().unwrap_or_else(PoisonError::into_inner));
        self.written += self.ready.len() as u32;
        if let Outcome::More(more) = outcome {
            self.idle.note(!self.ready.is_empty(), checkpoint, &more.checkpoint)?;
            self.checkpoint = Some(more.checkpoint);
        }
        Ok(())
    }
}

/// Takes a slice's parts.
struct Collected {
    sequence: PartSequence,
    parts: Arc<Mutex<VecDeque<Part>>>,
}

#[async_trait]
impl Parts for Collected {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.sequence.accept(number, bytes.len())?;
        let part = Part { number, bytes: bytes.to_vec() };
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push_back(part);
        Ok(())
    }
}

/// Ends a slice when the connection is interrupted, and not before.
struct UntilInterrupted(CancellationToken);

impl Pacing for UntilInterrupted {
    fn should_yield(&self) -> bool {
        false
    }

    fn is_cut_off(&self) -> bool {
        self.0.is_cancelled()
    }
}
