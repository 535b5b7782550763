//! It does not end, or dies.

use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;

use crate::Way;
use crate::exports::partway::pipe::exporter::{Error, Outcome};
use crate::partway::pipe::pacing;

pub const WAYS: &[(&str, Way)] = &[
    ("spin", spin),
    ("ignore-yield", || loop {
        black_box(pacing::should_yield());
    }),
    ("recurse", || {
        black_box(recurse(black_box(1)));
        spin()
    }),
    ("grow", || {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(black_box(vec![1; 1024 * 1024]));
        }
    }),
    ("panic", || panic!("on purpose")),
];

fn spin() -> Result<Outcome, Error> {
    loop {
        black_box(0);
    }
}

/// Comes to no end, and is no loop in disguise: each call does something after the next.
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    recurse(depth + 1).wrapping_mul(31) ^ depth
}
