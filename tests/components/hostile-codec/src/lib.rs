//! A component of the world `codec-component` that misbehaves in whatever way its encoding names.
#![no_std]

extern crate alloc;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use exports::partway::pipe::codec::{Description, Error, Guest, Options};

wit_bindgen::generate!({
    path: "../../../wit",
    world: "codec-component",
});

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Hostile;

impl Guest for Hostile {
    fn start(options: Options) -> Result<Description, Error> {
        let suffix = match options.encoding.as_str() {
            "suffix" => "/../../etc/passwd",
            _ => ".odd",
        };
        let media_type = match options.encoding.as_str() {
            "media-type" => "text/plain\r\nset-cookie: a=b",
            _ => "application/octet-stream",
        };
        let head = match options.encoding.as_str() {
            "head" => vec![0; 1 << 20],
            _ => Vec::new(),
        };
        Ok(Description { suffix: suffix.to_owned(), media_type: media_type.to_owned(), head })
    }

    fn encode(options: Options, _: u32, block: Vec<u8>) -> Result<Vec<u8>, Error> {
        match options.encoding.as_str() {
            "crash" => core::arch::wasm32::unreachable(),
            "endless" => loop {
                core::hint::black_box(&block);
            },
            "too-long" => Ok(vec![0; 2 * block.len() + (64 << 10) + 1]),
            "memory" => Ok(vec![1; 1 << 30]),
            "fail" => Err(Error::Failed("no\nidea".to_owned() + &"!".repeat(10_000))),
            "refuse" => Err(Error::InvalidOptions(String::from("not these"))),
            _ => Ok(block),
        }
    }

    fn finish(_: Options, _: u64, _: Vec<u32>) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }
}

export!(Hostile);
