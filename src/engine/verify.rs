//! The checks after a reinstall: what proves that it is done (`seed-constraints.md`, "Verify step").

use std::collections::BTreeMap;

use crate::domain::{
    Ahead, Encryption, Ending, Event, Fault, Login, Millis, PasswordLook, ProbeReport, Server,
    Time, Volume, VolumeId,
};
use crate::playbook::Check;

use super::core::{Draft, Engine};
use super::failure;
use super::issue::PAGE;
use super::outside::{HOST_KEY, PROBE_EVERY};
use super::pending::SeenPower;
use super::retry::{delay, mix};
use super::state::State;

/// Between two looks for a password: they cost requests, and it takes minutes to come.
const PASSWORD_EVERY: Millis = Millis::secs(30);

/// A disk may be missing from so many lists before it counts.
const UNLISTED: u32 = 3;

impl Engine {
    /// A look at a server that is being checked.
    pub(super) fn verify(&mut self, draft: &mut Draft, index: usize, server: &Server) {
        let power = if server.is_stopped() { SeenPower::Off } else { SeenPower::On };
        self.look_later(index, |look| {
            look.server_at = None;
            look.power = Some(power);
        });
        for number in 0..self.treatment(index).verify.len() {
            let trouble = match self.treatment(index).verify[number] {
                Check::Fresh => self.is_fresh(index, server).map(|()| {
                    let waits = self.pending.looks[index].wants_volumes;
                    (!waits).then_some(number)
                }),
                Check::Unchanged => self.is_unchanged(index, server).map(|()| Some(number)),
                Check::Tcp { .. }
                | Check::Http { .. }
                | Check::Command { .. }
                | Check::Ssh(_)
                | Check::PasswordReady { .. }
                | Check::StableFor { .. } => Ok(None),
            };
            match trouble {
                Ok(passed) => self.pending.looks[index].passed.extend(passed),
                Err(detail) => {
                    let check = self.treatment(index).verify[number].name();
                    return self.check_failed(draft, index, check, detail);
                }
            }
        }
        self.finish_checks(draft, index);
    }

    /// Whether what the server itself shows is fresh. Where only the disk can tell, it is asked for.
    fn is_fresh(&mut self, index: usize, server: &Server) -> Result<(), String> {
        let target = &self.plan.targets[index];
        let disk = server.system_volume().ok_or("the server has no system disk")?;
        if server.image != *target.image() {
            return Err(format!("the image is {}, not {}", server.image, target.image()));
        }
        let mut odd = Vec::new();
        if let Login::KeyPair { name, .. } = &target.reinstall.login
            && server.key_name.as_deref() != Some(name)
        {
            // That the field follows is not documented, so it is no failure.
            odd.push(format!("the server shows key pair {:?}, not {name}", server.key_name));
        }
        let same = *disk == target.found.system_volume;
        let encrypted = target.reinstall.encryption != Encryption::None;
        let keeps_disk = self.plan.cloud.features.keeps_disk;
        let disk = disk.clone();
        let look = &mut self.pending.looks[index];
        look.warnings = odd;
        look.wants_volumes = (same && !keeps_disk) || encrypted;
        look.volume = Some(disk);
        Ok(())
    }

    fn is_unchanged(&self, index: usize, server: &Server) -> Result<(), String> {
        let found = &self.plan.targets[index].found;
        let mut addresses = server.addresses.clone();
        addresses.sort();
        if addresses != found.addresses {
            return Err("addresses or MACs are not those of before".to_owned());
        }
        let mut disks: Vec<&VolumeId> = server.data_volumes().collect();
        disks.sort();
        if !disks.into_iter().eq(&found.data_volumes) {
            return Err("data disks are not those of before".to_owned());
        }
        Ok(())
    }

    /// All volumes were listed: is the new system disk as it was asked for?
    pub(super) fn verify_volume(
        &mut self,
        draft: &mut Draft,
        index: usize,
        found: &BTreeMap<VolumeId, Volume>,
    ) {
        if !matches!(self.facts.targets[index].state, State::Verifying { .. }) {
            return;
        }
        let look = &mut self.pending.looks[index];
        look.wants_volumes = false;
        let Some(disk) = look.volume.clone() else { return };
        if !found.contains_key(&disk) && look.unlisted < UNLISTED {
            // Pages shift while other servers get their disks: not listed is not yet not there.
            look.unlisted += 1;
            look.wants_volumes = true;
            self.pending.dirty.insert(index);
            return;
        }
        if let Err(detail) = self.is_disk_as_asked(index, found.get(&disk)) {
            self.check_failed(draft, index, Check::Fresh.name(), detail);
        } else {
            let checks = self.treatment(index).verify.iter().enumerate();
            let fresh = checks.filter(|(_, check)| **check == Check::Fresh);
            let fresh: Vec<usize> = fresh.map(|(number, _)| number).collect();
            self.pending.looks[index].passed.extend(fresh);
            self.finish_checks(draft, index);
        }
    }

    fn is_disk_as_asked(&self, index: usize, volume: Option<&Volume>) -> Result<(), String> {
        let volume = volume.ok_or("EVS does not list the system disk")?;
        let target = &self.plan.targets[index];
        if volume.id == target.found.system_volume {
            let sent = self.facts.targets[index].sent_wall;
            if volume.created.is_none_or(|created| created < sent) {
                return Err("the system disk is the old one".to_owned());
            }
        }
        match (&target.reinstall.encryption, &volume.key) {
            (Encryption::Key(asked), Some(key)) if asked == key => Ok(()),
            (Encryption::Key(asked), key) => {
                Err(format!("the system disk has KMS key {key:?}, not {asked}"))
            }
            (Encryption::None, _) => Ok(()),
        }
    }

    /// Ends a server whose checks all passed; asks for the checks from outside otherwise.
    pub(super) fn finish_checks(&mut self, draft: &mut Draft, index: usize) {
        #[cfg(test)]
        self.believe(index);
        self.hold_checks(draft.now.at, index);
        let look = &self.pending.looks[index];
        if look.passed.len() == self.treatment(index).verify.len() {
            if self.all_steps_done(index) {
                self.end_checked(draft, index);
            } else {
                let servers = vec![self.server_id(index)];
                self.record(draft, Event::StepsLeft { servers, before: Ahead::End });
            }
        } else if self.next_probe(index).is_some() {
            let now = draft.now.at;
            self.look_later(index, |look| {
                look.probe_at = Some(look.probe_at.unwrap_or(now).max(now));
            });
        }
    }

    /// A check from outside did not pass: again, until its time is over.
    pub(super) fn probe_failed(
        &mut self,
        draft: &mut Draft,
        index: usize,
        check: usize,
        detail: String,
    ) {
        let State::Verifying { since, .. } = self.facts.targets[index].state else { return };
        let broke = self.broke(index, check);
        let detail = if broke { format!("it had passed, and broke: {detail}") } else { detail };
        let made = &self.treatment(index).verify[check];
        let Some(within) = made.within() else { return };
        let every = if made.is_from_outside() { PROBE_EVERY } else { PASSWORD_EVERY };
        if draft.now.at < since + within {
            let again = draft.now.at + every;
            self.look_later(index, |look| look.probe_at = Some(again));
        } else {
            let name = self.treatment(index).verify[check].name();
            self.check_failed(draft, index, name, detail);
        }
    }

    fn check_failed(&mut self, draft: &mut Draft, index: usize, check: &str, detail: String) {
        let server = self.server_id(index);
        let policy = &self.treatment(index).retry.verify_failed;
        let round = self.facts.targets[index].failed_checks + 1;
        if round < policy.attempts {
            let draw = mix(self.seed, index, u64::from(round));
            let retry_at: Time = draft.now.at + delay(policy, round, draw, None);
            let check = check.to_owned();
            self.record(draft, Event::CheckFailed { server, check, detail, retry_at });
        } else {
            let failure = failure::check_failed(check, &detail);
            self.end(draft, server, Ending::Failed, Some(failure));
        }
    }

    pub(super) fn volumes_page(&mut self, draft: &mut Draft, offset: u32, volumes: Vec<Volume>) {
        let Some(read) = &mut self.pending.volumes else { return };
        let full = volumes.len() >= PAGE as usize;
        read.found.extend(volumes.into_iter().map(|volume| (volume.id.clone(), volume)));
        if full {
            read.next = Some(offset + PAGE);
            return;
        }
        let Some(read) = self.pending.volumes.take() else { return };
        for index in read.waiting {
            self.verify_volume(draft, index, &read.found);
        }
    }

    /// Whether the new password can be fetched, or why nobody can say.
    pub(super) fn password_seen(
        &mut self,
        draft: &mut Draft,
        (index, check): (usize, usize),
        seen: Result<PasswordLook, &Fault>,
    ) {
        let report = match seen {
            Ok(PasswordLook::There) => ProbeReport::passed(),
            Ok(PasswordLook::NotYet) => {
                ProbeReport::Failed { detail: "there is no password to fetch yet".to_owned() }
            }
            Err(fault) => ProbeReport::Failed { detail: fault.to_string() },
        };
        self.probed(draft, index, check, report);
    }

    pub(super) fn probed(
        &mut self,
        draft: &mut Draft,
        index: usize,
        check: usize,
        report: ProbeReport,
    ) {
        if check == HOST_KEY {
            return self.host_key_seen(draft, index, report);
        }
        if !matches!(self.facts.targets[index].state, State::Verifying { .. }) {
            return;
        }
        match report {
            ProbeReport::Passed { evidence, warning } => {
                if !self.held(index, check) {
                    let server = self.server_id(index);
                    let check = self.treatment(index).verify[check].name().to_owned();
                    self.record(draft, Event::Probed { server, check, evidence, warning });
                }
                self.pending.looks[index].passed.insert(check);
                self.finish_checks(draft, index);
            }
            ProbeReport::Failed { detail } => self.probe_failed(draft, index, check, detail),
        }
    }
}
