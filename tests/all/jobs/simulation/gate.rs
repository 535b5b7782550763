//! The gates before and after each effect on a store, at which a host waits until the scheduler lets it on.

use std::fmt::Display;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use partway_store::StoreError;
use partway_store::bucket::{RequestError, RequestErrorKind};
use tokio::runtime::Builder;
use tokio::task::unconstrained;

use super::clock::sleep;
use super::ground::Ground;
use super::tally::Met;
use super::world::{Actor, AtGate, Kind, Moment, Stand, Verdict, World};

/// When a client gives up waiting for an answer; longer than a lease lasts.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(180);

/// A store as one life of a host sees it.
#[derive(Debug, Clone)]
pub struct View {
    pub world: Arc<World>,
    pub actor: Actor,
    pub ground: Arc<Ground>,
}

/// Something that is asked of a store.
#[derive(Debug, Clone)]
pub struct Effect {
    pub kind: Kind,
    /// The upload's id, if it is about one.
    pub upload: Option<String>,
    /// More about it, for the trace.
    pub about: String,
    /// The same, done without its sender: where it may arrive late.
    late: Option<Late>,
}

/// What a request does when it arrives.
type Arrival = dyn Fn(&World, &Ground) + Send + Sync;

/// A request on its way.
#[derive(Clone)]
pub struct Late(Arc<Arrival>);

impl Late {
    /// It arrives.
    pub fn arrive(&self, world: &World, ground: &Ground) {
        (self.0)(world, ground);
    }
}

impl std::fmt::Debug for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Late")
    }
}

impl Effect {
    pub fn new(kind: Kind, upload: Option<&str>, about: impl ToString) -> Self {
        Self { kind, upload: upload.map(str::to_owned), about: about.to_string(), late: None }
    }

    /// One that may arrive late.
    pub fn late(self, work: impl Fn(&World, &Ground) + Send + Sync + 'static) -> Self {
        Self { late: Some(Late(Arc::new(work))), ..self }
    }
}

/// How an effect fails that the schedule lets fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// For good.
    Refused,
    /// It may or may not have been done.
    Failed,
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let location = "simulated".to_owned();
        match fault {
            Fault::Refused => Self::Refused { location, reason: "simulated refusal".to_owned() },
            Fault::Failed => Self::Failed { location, reason: "simulated failure".to_owned() },
        }
    }
}

impl From<Fault> for RequestError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused => Self::new(RequestErrorKind::Denied, "simulated refusal"),
            Fault::Failed => Self::new(RequestErrorKind::Unavailable, "simulated failure"),
        }
    }
}

impl View {
    /// Does `work` between two gates.
    pub async fn effect<T, E: From<Fault> + Display>(
        &self,
        effect: Effect,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if !self.world.is_alive(self.actor) {
            return pending().await;
        }
        if effect.kind == Kind::Write
            && self.world.lock().hosts[self.actor.host].has_failed_to_write
        {
            return pending().await;
        }
        let upload = effect.upload.as_deref().map(|id| self.ground.short(id)).unwrap_or_default();
        let Effect { kind, about, .. } = &effect;
        let line = format!("h{}.{} {kind:?} {upload} {about}", self.actor.host, self.actor.life);
        self.world.trace(format!("{line} ?"));
        match self.gate(&effect, Moment::Before).await {
            Verdict::Go => {}
            Verdict::CrashAmid(count) => {
                let ended = steps(count, work).is_some();
                self.world.trace(format!("{line} amid: {ended}"));
                self.ground.look_over(&self.world);
                self.world.kill(self.actor);
                return pending().await;
            }
            Verdict::Late => {
                self.ground.send_late(effect.late.clone());
                return Err(self.fault(Verdict::Hang, &effect).await.into());
            }
            verdict => return Err(self.fault(verdict, &effect).await.into()),
        }
        let result = work.await;
        match &result {
            Ok(_) => self.world.trace(format!("{line} done")),
            Err(error) => {
                let error = self.ground.without_folder(&error.to_string());
                self.world.trace(format!("{line} refused: {error}"));
            }
        }
        self.ground.look_over(&self.world);
        match self.gate(&effect, Moment::After).await {
            Verdict::Go => {
                self.note_failed_write(&effect, result.is_err());
                result
            }
            verdict => Err(self.fault(verdict, &effect).await.into()),
        }
    }

    async fn fault(&self, verdict: Verdict, effect: &Effect) -> Fault {
        self.note_failed_write(effect, true);
        if verdict == Verdict::Refuse {
            return Fault::Refused;
        }
        if verdict == Verdict::Hang {
            if effect.kind == Kind::Write {
                // Until the slice is cut off.
                return pending().await;
            }
            sleep(&self.world, self.actor.host, CLIENT_TIMEOUT).await;
            self.world.lock().hosts[self.actor.host].stand = Stand::Going;
        }
        Fault::Failed
    }

    fn note_failed_write(&self, effect: &Effect, has_failed: bool) {
        if effect.kind == Kind::Write && has_failed {
            self.world.lock().hosts[self.actor.host].has_failed_to_write = true;
        }
    }

    async fn gate(&self, effect: &Effect, moment: Moment) -> Verdict {
        let step = self.world.lock().hosts[self.actor.host].step;
        Gate {
            view: self,
            step,
            id: None,
            kind: effect.kind,
            upload: effect.upload.clone(),
            moment,
        }
        .await
    }
}

/// Waits for a verdict; for ever, where its step is over.
struct Gate<'a> {
    view: &'a View,
    step: u64,
    id: Option<u64>,
    kind: Kind,
    upload: Option<String>,
    moment: Moment,
}

impl Future for Gate<'_> {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        let View { world, actor, .. } = self.view;
        let mut state = world.lock();
        let host = &state.hosts[actor.host];
        if host.life != actor.life || host.is_dead || host.step != self.step {
            return Poll::Pending;
        }
        let Some(own) = self.id else {
            if state.is_open {
                return Poll::Ready(Verdict::Go);
            }
            let id = state.number();
            let gate = AtGate {
                id,
                kind: self.kind,
                moment: self.moment,
                upload: self.upload.take(),
                verdict: None,
                waker: context.waker().clone(),
            };
            state.hosts[actor.host].stand = Stand::AtGate(gate);
            state.wake_scheduler();
            drop(state);
            self.id = Some(id);
            return Poll::Pending;
        };
        let host = &mut state.hosts[actor.host];
        let Stand::AtGate(gate) = &mut host.stand else { return Poll::Pending };
        if gate.id != own {
            return Poll::Pending;
        }
        match gate.verdict {
            None => {
                gate.waker = context.waker().clone();
                Poll::Pending
            }
            Some(verdict) => {
                host.stand = match verdict {
                    Verdict::Hang | Verdict::Late => Stand::Hung,
                    _ => Stand::Going,
                };
                state.wake_scheduler();
                Poll::Ready(verdict)
            }
        }
    }
}

/// What the scheduler does at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Let(Verdict),
    /// The process ends here.
    Crash,
    /// The upload is taken away first, as an expired one is.
    Vanish,
}

/// Decides by the seed, and by which of its kind the effect is among the host's.
pub fn decide(world: &World, host: usize) -> Decision {
    let mut state = world.lock();
    let is_calm = state.is_calm;
    let host_state = &mut state.hosts[host];
    let Stand::AtGate(gate) = &host_state.stand else { return Decision::Let(Verdict::Go) };
    let (kind, moment, has_upload) = (gate.kind, gate.moment, gate.upload.is_some());
    let occurrence = host_state.occurrences.entry((kind, moment)).or_default();
    *occurrence += 1;
    let words = [1, host as u64, kind as u64, moment as u64, *occurrence];
    let mut dice = world.plan.dice(&words);
    // Most effects are writes; the others are where it matters.
    let more = match kind {
        Kind::Write => 1,
        Kind::Complete => 4,
        _ => 2,
    };
    if is_calm || dice.below(1000) >= more * world.plan.effect_faults {
        return Decision::Let(Verdict::Go);
    }
    let is_folder = world.plan.store == super::plan::StoreKind::Folder;
    let (decision, met) = match (moment, dice.below(20)) {
        (Moment::Before, 0) => (Decision::Let(Verdict::Refuse), Met::RefusedEffect),
        (Moment::Before, 1..=6) => (Decision::Let(Verdict::Fail), Met::FailedEffect),
        (Moment::Before, 7..=9) => (Decision::Let(Verdict::Hang), Met::HangBefore),
        (Moment::Before, 10..=13) if is_folder && kind == Kind::Begin => {
            (Decision::Let(Verdict::CrashAmid(dice.below(3) as u32)), Met::CrashAmidBegin)
        }
        (Moment::Before, 10..=15) if is_folder && kind == Kind::Complete => {
            (Decision::Let(Verdict::CrashAmid(1 + dice.below(4) as u32)), Met::CrashAmidComplete)
        }
        (Moment::Before, 14..=18) if !is_folder && matches!(kind, Kind::Complete | Kind::Abort) => {
            (Decision::Let(Verdict::Late), Met::SentLate)
        }
        (Moment::Before, 10..=12) if has_upload && world.plan.foreign == 0 => {
            (Decision::Vanish, Met::UploadVanished)
        }
        (Moment::Before, _) => (Decision::Crash, Met::CrashBefore),
        (Moment::After, 0..=9) => (Decision::Let(Verdict::Fail), Met::LostAnswer),
        (Moment::After, 10..=14) => (Decision::Let(Verdict::Hang), Met::HangAfter),
        (Moment::After, _) => (Decision::Crash, Met::CrashAfter),
    };
    state.tally.add(met);
    decision
}

/// Lets it take so many steps, each a piece of work on another thread, and then lets go of it; its result, where it got
/// to that.
///
/// The threads belong to a runtime of its own, with one only, which is kept busy while the work is polled: so that it
/// gets exactly one step further each time, however fast the machine is.
fn steps<T>(count: u32, work: impl Future<Output = T>) -> Option<T> {
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
    let mut work = pin!(unconstrained(work));
    let mut result = None;
    for _ in 0..count {
        let (go, may_go) = channel::<()>();
        runtime.spawn_blocking(move || may_go.recv().ok());
        {
            let _inside = runtime.enter();
            if let Poll::Ready(ready) = work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                result = Some(ready);
            }
        }
        drop(go);
        let (done, is_done) = channel();
        runtime.spawn_blocking(move || done.send(()));
        is_done.recv().expect("the thread goes on");
        if result.is_some() {
            break;
        }
    }
    runtime.shutdown_background();
    result
}
