//! Whether an export gets any further.

use serde::{Deserialize, Serialize};

use crate::job_error::JobError;

/// The most slices in a row that may write no part: more than any table needs that is read before it is written, and
/// an end for a component that has none.
pub const MOST_IDLE_SLICES: u32 = 1_000_000;

/// How many slices in a row have written no part. The contract allows that where the checkpoint moves on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdleSlices(u32);

impl IdleSlices {
    /// Notes a slice that is not the last: whether it has written parts, and its checkpoint before and after.
    ///
    /// # Errors
    ///
    /// [`JobError::NoProgress`], where neither says that it has got any further, and [`JobError::TooIdle`] after
    /// [`MOST_IDLE_SLICES`].
    pub fn note(&mut self, has_written: bool, before: &str, after: &str) -> Result<(), JobError> {
        let slices = if has_written { 0 } else { self.0 + 1 };
        match slices {
            1.. if before == after => Err(JobError::NoProgress),
            0..=MOST_IDLE_SLICES => {
                self.0 = slices;
                Ok(())
            }
            _ => Err(JobError::TooIdle),
        }
    }

    /// Whether the last slice has written no part.
    pub(crate) fn is_idle(self) -> bool {
        self.0 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_without_a_part_moves_its_checkpoint_and_they_have_an_end() {
        let mut idle = IdleSlices::default();
        assert!(matches!(idle.note(false, "a", "a"), Err(JobError::NoProgress)));
        idle.note(true, "a", "a").unwrap();
        for _ in 0..MOST_IDLE_SLICES {
            idle.note(false, "a", "b").unwrap();
        }
        assert!(matches!(idle.note(false, "a", "b"), Err(JobError::TooIdle)));
        idle.note(true, "a", "b").unwrap();
        idle.note(false, "a", "b").unwrap();
        assert_eq!(serde_json::to_string(&idle).unwrap(), "1");
    }
}
