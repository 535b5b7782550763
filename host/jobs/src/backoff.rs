//! How long to wait before a step is retried.

use std::time::Duration;

/// The first wait; each later one is twice as long (as Durable Objects repeat an alarm).
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The wait after this many consecutive failures, counted from 1.
pub(crate) fn wait(failures: u32) -> Duration {
    // Some hours at most, however many retries are asked for.
    FIRST_WAIT * 2_u32.pow(failures.saturating_sub(1).min(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_retries_wait_two_minutes_together() {
        let waits: Vec<u64> = (1..=6).map(|failures| wait(failures).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64]);
        assert_eq!(wait(u32::MAX), wait(13));
    }
}
