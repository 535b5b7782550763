//! Reading frames of zstd one by one, so that the table at their end can be compared with them.

use std::error::Error;
use std::io::{self, ErrorKind, Read};

use partway_compression::{FrameSizes, SKIPPABLE_MAGIC, is_table_of, largest_content};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// How much is read at a time.
const BUFFER: usize = 128 * 1024;

/// The decoded bytes of frames. A table of the seekable format, if there is one, must be theirs.
pub(crate) struct ZstdFrames<R> {
    input: Input<R>,
    decoder: Decoder<'static>,
    is_in_frame: bool,
    /// The sizes of the frame being read, so far.
    current: (u64, u64),
    frames: Vec<FrameSizes>,
}

impl<R: Read> ZstdFrames<R> {
    pub(crate) fn new(reader: R) -> io::Result<Self> {
        let input = Input { reader, buffer: Vec::new(), start: 0 };
        let decoder = Decoder::new()?;
        Ok(Self { input, decoder, is_in_frame: false, current: (0, 0), frames: Vec::new() })
    }

    /// Begins the next frame; false: there is none.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while self.input.peek(4)?.starts_with(&SKIPPABLE_MAGIC) {
            self.read_table()?;
        }
        self.current = (0, 0);
        self.is_in_frame = !self.input.peek(1)?.is_empty();
        Ok(self.is_in_frame)
    }

    /// Reads a table, which must be that of the frames before it.
    fn read_table(&mut self) -> io::Result<()> {
        let size = match self.input.peek(8)? {
            [_, _, _, _, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
            _ => return Err(cut_off()),
        };
        if size > largest_content(self.frames.len()) {
            return Err(damaged("the table at its end is not that of its frames"));
        }
        self.input.consume(8);
        let Some(content) = self.input.peek(size)?.get(..size) else { return Err(cut_off()) };
        if !is_table_of(content, &self.frames) {
            return Err(damaged("the table at its end is not that of its frames"));
        }
        self.input.consume(size);
        // Others may follow: objects that are joined are one.
        self.frames.clear();
        Ok(())
    }

    fn end_frame(&mut self) {
        self.is_in_frame = false;
        let sizes = |(compressed, decompressed)| {
            Some((u32::try_from(compressed).ok()?, u32::try_from(decompressed).ok()?))
        };
        // A frame that no table can hold is none of ours.
        self.frames.extend(sizes(self.current));
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_in_frame && !self.begin_frame()? {
                return Ok(0);
            }
            let source = self.input.peek(1)?;
            let is_at_end = source.is_empty();
            let mut from = InBuffer::around(source);
            let mut to = OutBuffer::around(&mut *buffer);
            let hint = self.decoder.run(&mut from, &mut to).map_err(damaged)?;
            let (read, written) = (from.pos(), to.pos());
            self.input.consume(read);
            self.current.0 += read as u64;
            self.current.1 += written as u64;
            if hint == 0 {
                self.end_frame();
            } else if is_at_end && written == 0 {
                return Err(cut_off());
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

fn cut_off() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it is cut off")
}

fn damaged(what: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Bytes that can be looked at before they are used up.
struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
}

impl<R: Read> Input<R> {
    /// What has been read: at least so many bytes, unless the end comes first, and perhaps more.
    fn peek(&mut self, least: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.start < least {
            self.buffer.drain(..self.start);
            self.start = 0;
            let wanted = BUFFER.max(least - self.buffer.len()) as u64;
            if self.reader.by_ref().take(wanted).read_to_end(&mut self.buffer)? == 0 {
                break;
            }
        }
        Ok(&self.buffer[self.start..])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}
