//! Forgets finished exports when they are old, so that the job file does not grow for ever.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use partway_jobs::{Clock, SystemClock};
use tokio::time::sleep;

use crate::error::with_causes;
use crate::state::ServiceState;

/// How often exports are checked for being old, at least.
const CHECK_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How often, at most: ages that are shorter are for tests.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// How long to rest between two batches, so that others may write.
const PAUSE: Duration = Duration::from_millis(20);

/// Forgets exports that ended this long ago, until the service is to stop. `keeps_scheduled`: but not those that retention
/// needs.
pub async fn run(age: Option<Duration>, keeps_scheduled: bool, state: Arc<ServiceState>) {
    let (Some(age), Some(exports)) = (age, &state.exports) else { return };
    while !state.stop.is_cancelled() {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        // Longer ago than times go back: nothing is that old.
        let before = SystemClock.now().checked_sub(age).unwrap_or(jiff::Timestamp::MIN);
        let wait = match exports.forget_before(before, keeps_scheduled).await {
            Ok(0) => interval(age.unsigned_abs()),
            Ok(forgotten) => {
                tracing::info!(forgotten, "old exports were forgotten; their objects stay");
                PAUSE
            }
            Err(error) => {
                tracing::error!(error = with_causes(&error), "old exports can't be forgotten");
                interval(age.unsigned_abs())
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = state.stop.cancelled() => {}
        }
    }
}

fn interval(age: Duration) -> Duration {
    (age / 10).clamp(MIN_INTERVAL, CHECK_INTERVAL)
}
