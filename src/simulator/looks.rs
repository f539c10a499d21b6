//! What changes nothing: lists and looks, as late as the cloud shows them.

use super::error::{ApiError, Shape};
use super::jobs::TheJob;
use super::knobs::{MixedBatch, millis};
use super::machine::Machine;
use super::tasks::add;
use super::world::World;
use crate::domain::{
    Answer, Image, ImageId, JobId, JobStatus, KeyPair, KmsKey, Millis, More, Page, ProbeSpec,
    Quota, QuotaLine, Server, ServerId, Timestamp, Trace, Volume,
};

/// What is looked at from outside of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    /// A port: open as soon as the server is up and left alone by cloud-init.
    Port,
    /// What the server is there for.
    Service,
}

impl Outside {
    /// What such a probe looks at.
    pub(super) fn of(spec: &ProbeSpec) -> Self {
        match spec {
            ProbeSpec::Tcp { .. } | ProbeSpec::HostKey { .. } | ProbeSpec::Ssh { .. } => Self::Port,
            ProbeSpec::Http { .. } | ProbeSpec::Command { .. } => Self::Service,
        }
    }
}

impl World {
    /// Servers of the project at that moment, the newest first, and so temporary ones before all:
    /// pages shift when one comes or goes.
    pub(super) fn listed(&self, now: Millis) -> impl Iterator<Item = &Server> {
        let machines = self.machines.iter().filter(|machine| !machine.gone);
        let machines = machines.map(move |machine| machine.seen(now));
        self.helpers.iter().rev().chain(machines)
    }

    /// Servers in all, temporary ones among them.
    pub(super) fn listed_total(&self) -> usize {
        self.helpers.len() + self.by_id.len()
    }

    /// One page of servers; pages are counted from 1, and 0 means 1.
    pub(super) fn list_servers(
        &self,
        now: Millis,
        page: u32,
        limit: u32,
    ) -> Result<(usize, impl Iterator<Item = &Server>), ApiError> {
        let limit = page_size(limit)?;
        let skip = (page.max(1) as usize - 1).saturating_mul(limit);
        Ok((self.listed_total(), self.listed(now).skip(skip).take(limit)))
    }

    /// The servers behind a server, as Nova pages them: whoever names one that is gone is refused.
    pub(super) fn list_servers_behind(
        &self,
        now: Millis,
        page: &Page,
        limit: u32,
    ) -> Result<Answer, ApiError> {
        let limit = page_size(limit)?;
        let gone = || ApiError::new(400, "badRequest", "marker not found");
        let skip = match page {
            Page::Number(1) => 0,
            Page::Number(_) => return Err(gone()),
            Page::After(id) => {
                1 + self.listed(now).position(|server| server.id == *id).ok_or_else(gone)?
            }
        };
        let servers: Vec<Server> = self.listed(now).skip(skip).take(limit).cloned().collect();
        let is_last = self.listed(now).nth(skip + limit).is_none();
        let more = match servers.last().filter(|_| !is_last) {
            Some(last) => More::After(last.id.clone()),
            None => More::Nothing,
        };
        Ok(Answer::Servers { more, servers })
    }

    /// One server.
    pub(super) fn show_server(&self, now: Millis, id: &ServerId) -> Result<&Server, ApiError> {
        let machine = self.by_id.get(id).map(|index| self.machines[*index].seen(now));
        let helper = || self.helpers.iter().find(|helper| helper.id == *id);
        machine.or_else(helper).ok_or_else(ApiError::no_server)
    }

    /// One job.
    pub(super) fn show_job(&self, now: Millis, id: &JobId) -> Result<&TheJob, ApiError> {
        let job = self.job_by_id.get(id).map(|index| &self.jobs[*index]);
        let kept = self.knobs.job_retention.map(millis);
        let gone = |job: &TheJob| {
            kept.zip(job.ended()).is_some_and(|(kept, ended)| add(ended, kept) < now)
        };
        job.filter(|job| job.visible <= now && !gone(job))
            .ok_or_else(|| ApiError::new(400, "Common.0011", "The job id is invalid."))
    }

    /// Status of a whole job.
    pub(super) fn job_status(&self, now: Millis, job: &TheJob) -> JobStatus {
        if job.open > 0 {
            return if now >= job.runs { JobStatus::Running } else { JobStatus::Init };
        }
        let failed = job.parts.iter().filter(|part| part.failing().is_some()).count();
        let mixed = failed > 0 && failed < job.parts.len();
        match (failed, mixed, self.knobs.mixed_batch) {
            (0, _, _) | (_, true, MixedBatch::Succeeds) => JobStatus::Success,
            _ => JobStatus::Fail,
        }
    }

    /// Whether a job is shown with its parts.
    pub(super) fn shows_parts(&self, job: &TheJob) -> bool {
        job.parts.len() > 1 || self.knobs.single_job_parts
    }

    /// One page of disks; `offset` is an index.
    pub(super) fn list_volumes(&self, offset: u32, limit: u32) -> Result<&[Volume], ApiError> {
        let limit = page_size(limit)?;
        let from = (offset as usize).min(self.disks.len());
        Ok(&self.disks[from..(from + limit).min(self.disks.len())])
    }

    /// The quota with its use.
    pub(super) fn shown_quota(&self) -> Quota {
        let volumes = self.disks.len() as u64 + self.reserved.0;
        let gigabytes = self.used_gib + self.reserved.1;
        Quota {
            volumes: QuotaLine { limit: self.quota.volumes, used: volumes },
            gigabytes: QuotaLine { limit: self.quota.gigabytes, used: gigabytes },
            by_kind: std::collections::BTreeMap::new(),
        }
    }

    /// One image.
    pub(super) fn show_image(&self, id: &ImageId) -> Option<&Image> {
        self.images.get(id)
    }

    /// One key pair, as the acting user sees it: not those of others.
    pub(super) fn show_key_pair(&self, name: &str) -> Option<&KeyPair> {
        let mine = |pair: &&KeyPair| {
            pair.name == name
                && pair.user.as_ref().is_some_and(|user| user.as_str() == self.account.user_id)
        };
        self.key_pairs.iter().find(mine)
    }

    /// One KMS key, by id or as `alias/<name>`.
    pub(super) fn show_key(&self, key: &str) -> Result<&KmsKey, ApiError> {
        let alias = key.strip_prefix("alias/");
        let found = self.keys.iter().find(|it| it.id == key || alias == Some(it.alias.as_str()));
        let missing = || ApiError::new(400, "KMS.0205", "The key id is invalid.");
        found.ok_or_else(|| missing().shaped(Shape::Kms))
    }

    /// Whether the acting user may read the audit log.
    pub(super) fn check_log(&self) -> Result<(), ApiError> {
        if self.knobs.trace_readable {
            return Ok(());
        }
        Err(ApiError::new(403, "CTS.0003", "The user has no permission to list traces."))
    }

    /// Reinstall calls for a server in the audit log, newest first.
    pub(super) fn list_traces(
        &self,
        now: Millis,
        server: &ServerId,
        since: Timestamp,
    ) -> impl Iterator<Item = &Trace> {
        let lines = self.traces.get(server).map_or(&[][..], Vec::as_slice).iter().rev();
        let seen =
            move |(visible, trace): &&(Millis, Trace)| *visible <= now && trace.time >= since;
        lines.filter(seen).map(|(_, trace)| trace)
    }

    /// The fingerprint of a server's host key: each installation makes one of its own, unless images
    /// carry them.
    pub(super) fn host_key(&self, id: &ServerId) -> String {
        let machine = self.by_id.get(id).map(|index| &self.machines[*index]);
        let installed = machine.map_or(0, Machine::installed);
        let completed = if self.knobs.host_key_stays { 0 } else { installed };
        format!("SHA256:simulated-{id}-{completed}")
    }

    /// A look at a server from outside of the API, or why it does not show what is wanted.
    pub(super) fn look_from_outside(
        &mut self,
        now: Millis,
        id: &ServerId,
        at: Outside,
    ) -> Result<(), &'static str> {
        let machine = self.by_id.get(id).map(|index| &self.machines[*index]);
        let Some(machine) = machine.filter(|machine| machine.is_ready(now)) else {
            return Err("connection refused");
        };
        match at {
            Outside::Service if now < machine.serves_from => Err("the service does not answer yet"),
            Outside::Service if self.chance.chance(self.knobs.service_fails) => {
                Err("the service answers something else this time")
            }
            Outside::Port | Outside::Service => Ok(()),
        }
    }
}

/// Things on a page: at most 1,000 (`product.md`, section 8).
fn page_size(limit: u32) -> Result<usize, ApiError> {
    match limit {
        1..=1_000 => Ok(limit as usize),
        _ => Err(ApiError::new(400, "Ecs.0005", "The limit must be between 1 and 1000.")),
    }
}
