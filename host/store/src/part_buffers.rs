//! The buffers that parts are copied into: a fixed number of them, reused.
//!
//! They are awaited through the channel of `futures-channel`. Tokio's counts against a task's budget: a slice that
//! blocks inside a task, as the synchronous linker may, would hang once the budget is used up.

use bytes::Bytes;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

/// Hands out free buffers.
#[derive(Debug)]
pub struct FreeBuffers(UnboundedReceiver<Vec<u8>>);

/// Where buffers are given back.
#[derive(Debug, Clone)]
pub struct BufferReturn(UnboundedSender<Vec<u8>>);

/// So many buffers, which grow to the size of what is put into them.
pub fn part_buffers(count: usize) -> (FreeBuffers, BufferReturn) {
    let (sender, receiver) = unbounded();
    let buffers = BufferReturn(sender);
    for _ in 0..count {
        buffers.give_back(Vec::new());
    }
    (FreeBuffers(receiver), buffers)
}

impl FreeBuffers {
    /// Copies bytes into a buffer, as soon as one is free. None where no buffer will ever be: every [`BufferReturn`] has
    /// been dropped.
    pub async fn copy(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = self.0.recv().await.ok()?;
        buffer.clear();
        buffer.extend_from_slice(bytes);
        Some(buffer)
    }
}

impl BufferReturn {
    /// The bytes of a buffer, to be shared. When the last of those who share them is done, the buffer is free again.
    pub(crate) fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(SharedBuffer { buffer, home: self.clone() })
    }

    /// Gives a buffer back, for the next bytes.
    pub fn give_back(&self, buffer: Vec<u8>) {
        // With the slice over, nobody waits for it.
        self.0.unbounded_send(buffer).ok();
    }
}

struct SharedBuffer {
    buffer: Vec<u8>,
    home: BufferReturn,
}

impl AsRef<[u8]> for SharedBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}
