//! Tests that need the machine for themselves take turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Held by one test at a time, until it is dropped.
pub struct Turn {
    _guard: MutexGuard<'static, ()>,
}

/// Waits for a turn. For tests that load every processor by themselves, and for those that measure or watch how fast
/// something goes: the harness runs as many tests at a time as there are processors, and two of these side by side would
/// disturb each other. All other tests run beside them.
pub fn turn() -> Turn {
    // A test that fails with its turn ends it as well.
    Turn { _guard: TURN.lock().unwrap_or_else(PoisonError::into_inner) }
}
