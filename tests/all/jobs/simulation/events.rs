//! What a schedule does to its hosts, and what else happens around them.

use partway_jobs::{Admission, JobStore, StateError};

use super::clock::now;
use super::gate::{Decision, decide};
use super::schedule::Schedule;
use super::tally::Met;
use super::world::{Kind, Stand, Verdict};

impl Schedule {
    /// Lets a host on, well or not.
    pub(crate) fn pass(&mut self, number: usize) {
        let decision = decide(&self.world, number);
        if decision != Decision::Let(Verdict::Go) {
            self.world.trace(format!("h{number} {decision:?}"));
        }
        let (kind, upload) = {
            let mut state = self.world.lock();
            let Stand::AtGate(gate) = &mut state.hosts[number].stand else { return };
            match decision {
                Decision::Let(verdict) => gate.verdict = Some(verdict),
                Decision::Vanish => gate.verdict = Some(Verdict::Go),
                Decision::Crash => {}
            }
            gate.waker.wake_by_ref();
            (gate.kind, gate.upload.clone())
        };
        // Of two hosts, the other may have saved the upload between this one's look and here.
        let is_pruning = self.hosts[number].as_ref().is_some_and(|host| host.is_pruning);
        if is_pruning
            && kind == Kind::Abort
            && self.hosts.len() == 1
            && upload.as_ref().is_some_and(|upload| self.checker.is_owned(upload))
        {
            self.world.violation("pruning throws away what a job is at work on".to_owned());
        }
        match (decision, upload) {
            (Decision::Crash, _) => self.bury(number),
            (Decision::Vanish, Some(upload)) => self.ground.vanish(&upload),
            _ => {}
        }
    }

    pub(crate) fn alarm(&mut self, number: usize) {
        let job = self.random.below(self.jobs.len() as u64) as usize;
        let only_if_due = self.random.below(2) == 0;
        let is_stopped = !self.world.lock().is_calm && self.random.below(40) == 0;
        let wall = self.world.lock().wall;
        let is_early = self.checker.jobs()[job].1.wake_at.is_some_and(|at| at > wall);
        if is_early {
            self.world.met(Met::EarlyWakeUp);
        }
        if is_stopped {
            self.world.met(Met::StoppedWakeUp);
        }
        if self.hosts.iter().flatten().any(|host| host.step.is_some()) {
            self.world.met(Met::DuplicateWakeUp);
        }
        self.world.trace(format!(
            "h{number} alarm j{job} only_if_due {only_if_due} stopped {is_stopped}"
        ));
        let id = self.jobs[job].clone();
        if let Some(host) = &mut self.hosts[number] {
            host.alarm(id, only_if_due, is_stopped);
        }
    }

    pub(crate) fn let_go(&mut self, number: usize) {
        let Some(host) = &self.hosts[number] else { return };
        self.world.met(Met::LetGo);
        self.world.trace(format!("h{number} lets go"));
        for job in &self.jobs {
            // Where it can't be saved, the lease lasts until its end.
            host.worker.release(job).ok();
        }
    }

    /// Time passes: to what is to happen next, or just so.
    pub(crate) fn advance(&mut self) {
        let wall = self.world.lock().wall;
        let next = {
            let state = self.world.lock();
            let sleepers = state.sleepers.values().map(|sleeper| sleeper.until - state.elapsed);
            let alarms = self.checker.jobs().into_iter().filter_map(|(_, job)| job.wake_at);
            sleepers.chain(alarms.map(|at| at - wall)).filter(|wait| *wait > 0).min()
        };
        let time = match (self.random.below(4), next) {
            (0 | 1, Some(wait)) => wait,
            _ => self.random.pick(&[1_000, 20_000, 61_000, 100_000]),
        };
        self.world.trace(format!("{time} ms pass"));
        self.world.advance(time);
    }

    /// The wall clock jumps.
    pub(crate) fn jump(&mut self) {
        let time = self.random.pick(&[1_000, 90_000, 3_600_000, 3 * 86_400_000]);
        let is_back = self.random.below(2) == 0;
        let jump = if is_back { -time } else { time };
        self.world.met(if is_back { Met::ClockBack } else { Met::ClockForward });
        if time > 86_400_000 {
            self.world.met(Met::ClockByDays);
        }
        self.world.trace(format!("the clock jumps by {jump} ms"));
        self.world.lock().wall += jump;
    }

    pub(crate) fn cancel(&mut self) {
        let job = self.random.below(self.jobs.len() as u64) as usize;
        let host = self.random.below(self.hosts.len() as u64) as usize;
        let Some(host) = &self.hosts[host] else { return };
        self.world.met(Met::Cancel);
        self.world.trace(format!("j{job} is wished to be cancelled"));
        host.worker.jobs().request_cancel(&self.jobs[job], now(&self.world)).ok();
    }

    pub(crate) fn place_foreign(&mut self) {
        let jobs = self.checker.jobs();
        let Some(name) = jobs.iter().find_map(|(_, job)| job.object.clone()) else { return };
        // Of the same length it is the hardest to tell apart.
        let mut bytes = self.ground.dumps[0].clone();
        bytes.fill(b'f');
        if self.random.below(2) == 0 {
            bytes.push(b'f');
        }
        if self.ground.place_foreign(&name, bytes) {
            self.world.met(Met::ForeignObject);
            self.world.trace(format!("somebody else's {name} appears"));
        }
    }

    pub(crate) fn ask_twice(&mut self) {
        let Some(host) = self.hosts.iter().flatten().next() else { return };
        self.has_asked_twice = true;
        let is_concurrent = self.random.below(2) == 0;
        let admitted = host.worker.jobs().admit(&self.request, is_concurrent, now(&self.world));
        self.world.met(Met::SecondRequest);
        let word = match admitted {
            Ok(Admission::New(id)) => {
                self.jobs.push(id);
                "a new job"
            }
            Ok(Admission::Resume(_)) => "go on",
            Ok(Admission::Replace(_)) => "replace",
            Err(StateError::Running { .. }) => "running",
            Err(_) => {
                self.find_unheard_job();
                "failed"
            }
        };
        self.ground.set_jobs(self.jobs.len());
        self.world.trace(format!("the same again, concurrent {is_concurrent}: {word}"));
    }

    /// A job may have been saved and its asker not have heard of it.
    fn find_unheard_job(&mut self) {
        let jobs = JobStore::open(&self.state).expect("the jobs");
        for record in jobs.list().expect("the jobs") {
            if !self.jobs.contains(&record.id) {
                self.jobs.push(record.id);
            }
        }
    }
}
