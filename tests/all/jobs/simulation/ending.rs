//! What must be true in the end.

use std::collections::BTreeSet;

use partway_jobs::JobState;
use partway_manifest::ManifestSet;

use super::ground::OBJECTS_OF_SET;
use super::host::A_DAY;
use super::schedule::Schedule;
use super::tally::Met;

impl Schedule {
    /// Looks at what has become of the jobs, and of the store after a last pruning.
    pub(crate) async fn check_the_end(&mut self) {
        for host in &mut self.hosts {
            *host = None;
        }
        while self.ground.is_anything_late() {
            self.ground.arrive(&self.world, 0);
        }
        let (mut objects, uploads) = (self.ground.objects(), self.ground.uploads());
        let mut telling = 0;
        for (id, job) in self.checker.jobs() {
            let state = job.state.as_str();
            let reason = job.last_error.clone().unwrap_or_default();
            let tells = ["could not be deleted", "partway jobs prune"];
            let tells_of_rest = tells.iter().any(|words| reason.contains(words));
            let of_job = self.checker.uploads(&id);
            // An earlier start's, which could not be thrown away, is for pruning.
            let is_forgotten =
                |id: &&String| uploads.contains(id) && !self.ground.was_abort_asked(id);
            if !tells_of_rest && let Some(upload) = of_job.iter().find(is_forgotten) {
                let upload = self.ground.short(upload);
                self.world.violation(format!("nobody has tried to throw {upload} away"));
            }
            let object = job.object.as_deref().filter(|name| objects.contains(*name));
            if state == JobState::Done.as_str() {
                self.world.met(Met::Done);
                if job.cancel_requested {
                    self.world.met(Met::DoneThoughUnwanted);
                }
                let bytes = object.and_then(|name| self.ground.object(name));
                let sha256 = bytes.as_deref().map(sha256);
                // Over an object of the same name, where the bucket does not refuse that.
                let is_overwritten = !self.world.plan.conditional
                    && sha256.is_some()
                    && job.object.as_deref().is_some_and(|name| self.ground.is_late(name));
                if !is_overwritten && (sha256.is_none() || sha256 != job.sha256) {
                    self.world.violation(format!("no object, or another's hash: {job:?}"));
                }
                if let Some(name) = &job.object {
                    objects.remove(name);
                }
                if self.world.plan.each_table
                    && let Some(bytes) = &bytes
                {
                    self.check_set(bytes, &mut objects);
                }
                continue;
            }
            let is_cancelled = state == JobState::Cancelled.as_str();
            self.world.met(if is_cancelled { Met::Cancelled } else { Met::Failed });
            let has_reason = if is_cancelled { job.cancel_requested } else { !reason.is_empty() };
            if !has_reason {
                self.world.violation(format!("ended for no reason: {job:?}"));
            }
            if of_job.last().is_some_and(|last| uploads.contains(last)) && !tells_of_rest {
                self.world
                    .violation(format!("an upload is left, and the job does not say so: {job:?}"));
            }
            telling += usize::from(tells_of_rest);
        }
        objects.retain(|name| !self.ground.is_late(name));
        // What could not be looked after may have come to an object, under whatever name was free.
        let each = if self.world.plan.each_table { OBJECTS_OF_SET } else { 1 };
        if objects.len() > telling * each {
            self.world.violation(format!("{objects:?} belong to no job that is done"));
        }
        self.prune_all().await;
    }

    /// All objects of a set are there, of one moment; they are taken out of those that belong to no job.
    fn check_set(&self, manifest: &[u8], objects: &mut BTreeSet<String>) {
        let set = ManifestSet::from_json(manifest).expect("it was looked at when it came");
        let mut found = Vec::new();
        for listed in set.objects {
            let object = listed.object;
            let bytes = self.ground.object(&object.name);
            let is_overwritten = !self.world.plan.conditional && self.ground.is_late(&object.name);
            match bytes {
                Some(bytes) if sha256(&bytes) == object.sha256 || is_overwritten => {
                    found.push(bytes);
                }
                _ => {
                    let name = &object.name;
                    self.world
                        .violation(format!("{name} is in a manifest, and is not what it says"));
                }
            }
            objects.remove(&object.name);
        }
        if !self.ground.dumps.chunks(2).any(|moment| *moment == found[..]) {
            self.world.violation("the objects of a set are not those of one moment".to_owned());
        }
    }

    async fn prune_all(&mut self) {
        let last = self.ground.last_touched();
        {
            let mut state = self.world.lock();
            state.is_calm = true;
            state.is_open = true;
            state.wall = state.wall.max(last) + A_DAY.as_millis() as i64 + 1;
        }
        let objects = self.ground.objects();
        self.begin(0).expect("a healthy host");
        if let Some(host) = &mut self.hosts[0] {
            host.prune();
        }
        self.come_to_rest().await;
        let left = self.ground.uploads();
        if !left.is_empty() {
            self.world.violation(format!("{} uploads are left after pruning", left.len()));
        }
        if objects != self.ground.objects() {
            self.world.violation("pruning has taken an object".to_owned());
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    base16ct::lower::encode_string(&sha2::Sha256::digest(bytes))
}
