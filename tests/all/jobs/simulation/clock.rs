//! The clock of a simulated host: it goes on when the schedule says so.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use partway_jobs::Clock;

use super::world::{Sleeper, World};

/// A host's view of the world's clock.
#[derive(Debug)]
pub struct SimulatedClock {
    pub world: Arc<World>,
    pub host: usize,
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        now(&self.world)
    }

    async fn sleep(&self, time: Duration) {
        sleep(&self.world, self.host, time).await;
    }
}

/// The wall clock.
pub fn now(world: &World) -> Timestamp {
    Timestamp::from_millisecond(world.lock().wall).expect("a time within bounds")
}

/// Waits until so much time has been let pass.
pub fn sleep(world: &Arc<World>, host: usize, time: Duration) -> Sleep {
    let until = world.lock().elapsed + time.as_millis() as i64;
    Sleep { world: world.clone(), host, until, id: None }
}

pub struct Sleep {
    world: Arc<World>,
    host: usize,
    until: i64,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut state = world.lock();
        let Some(id) = self.id else {
            if self.until <= state.elapsed {
                return Poll::Ready(());
            }
            let id = state.number();
            let waker = context.waker().clone();
            let sleeper = Sleeper { host: self.host, until: self.until, is_over: false, waker };
            state.sleepers.insert(id, sleeper);
            self.id = Some(id);
            return Poll::Pending;
        };
        match state.sleepers.get_mut(&id) {
            Some(sleeper) if !sleeper.is_over => {
                sleeper.waker = context.waker().clone();
                Poll::Pending
            }
            _ => {
                state.sleepers.remove(&id);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.world.lock().sleepers.remove(&id);
        }
    }
}
