//! Thrift's compact protocol, as far as Parquet's headers need it.

use alloc::vec::Vec;

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// What a list holds.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    /// 32-bit integers and enumerations.
    I32 = I32 as isize,
    /// Texts.
    Binary = BINARY as isize,
    /// Structs.
    Struct = STRUCT as isize,
}

/// Writes structs field by field. Begins inside a struct.
pub(crate) struct Thrift {
    bytes: Vec<u8>,
    /// The number of the last field of each open struct.
    last: Vec<i16>,
}

impl Thrift {
    /// The beginning of a struct.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), last: Vec::from([0]) }
    }

    /// What has been written since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }

    /// Ends the outermost struct.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.end();
        self.bytes
    }

    pub(crate) fn i32(&mut self, id: i16, value: i32) {
        self.field(id, I32);
        self.item_i32(value);
    }

    pub(crate) fn i64(&mut self, id: i16, value: i64) {
        self.field(id, I64);
        self.zigzag(value);
    }

    pub(crate) fn binary(&mut self, id: i16, value: &[u8]) {
        self.field(id, BINARY);
        self.item_binary(value);
    }

    /// Begins a struct as a field.
    pub(crate) fn begin(&mut self, id: i16) {
        self.field(id, STRUCT);
        self.begin_item();
    }

    /// Begins a struct as an item of a list.
    pub(crate) fn begin_item(&mut self) {
        self.last.push(0);
    }

    /// Ends a struct.
    pub(crate) fn end(&mut self) {
        self.bytes.push(0);
        self.last.pop();
    }

    /// Begins a list of so many items, which follow.
    pub(crate) fn list(&mut self, id: i16, of: Of, length: usize) {
        self.field(id, LIST);
        let of = of as u8;
        if length < 15 {
            self.bytes.push((length as u8) << 4 | of);
        } else {
            self.bytes.push(0xf0 | of);
            write_varint(&mut self.bytes, length as u64);
        }
    }

    pub(crate) fn item_i32(&mut self, value: i32) {
        self.zigzag(value.into());
    }

    pub(crate) fn item_binary(&mut self, value: &[u8]) {
        write_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    fn zigzag(&mut self, value: i64) {
        write_varint(&mut self.bytes, (value << 1 ^ value >> 63) as u64);
    }

    fn field(&mut self, id: i16, kind: u8) {
        let last = self.last.last_mut().map_or(0, |last| core::mem::replace(last, id));
        let step = id - last;
        if (1..=15).contains(&step) {
            self.bytes.push((step as u8) << 4 | kind);
        } else {
            self.bytes.push(kind);
            self.zigzag(id.into());
        }
    }
}

/// Seven bits a byte, the lowest first.
pub(crate) fn write_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Reads such a number from the beginning of `from`, and takes it off.
pub(crate) fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for value in [0, 1, 127, 128, 300, 1 << 35, u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            let mut rest = &bytes[..];
            assert_eq!((read_varint(&mut rest), rest.len()), (Some(value), 0));
            assert_eq!(read_varint(&mut &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn structs_are_as_the_protocol_says() {
        let mut thrift = Thrift::new();
        thrift.i32(1, -1);
        thrift.list(2, Of::Binary, 1);
        thrift.item_binary(b"ab");
        thrift.begin(20);
        thrift.i64(1, 150);
        thrift.end();
        let expected = [0x15, 1, 0x19, 0x18, 2, b'a', b'b', 0x0c, 40, 0x16, 0xac, 2, 0, 0];
        assert_eq!(thrift.finish(), expected);
    }
}
