//! One server's case for the cloud's support, from the journal alone: who it is, what was tried,
//! how it was before and after.
//!
//! Start with [`Support::of`]; [`find`] says which server somebody means. Everything that
//! happened is made from records that were narrowed to the server and scrubbed first; names, ids and
//! disks come from the plan, which holds no secret.

use serde::Serialize;

use crate::domain::{
    Address, Ending, Event, Failure, FleetName, ImageId, JobEnd, JobId, Outline, Phase, Record,
    Seen, ServerId, Timestamp, VolumeId,
};

use super::redact::about;
use super::standing::Standing;
use super::tried::{Chapter, tried, utc};
use super::{Error, Fold};

/// What the plan knew of the server; the records do not tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AsPlanned {
    /// When the cloud was read.
    #[serde(serialize_with = "utc")]
    pub looked_at: Timestamp,
    /// Id of its project.
    pub project_id: String,
    /// Its availability zone.
    pub zone: String,
    /// Whether it was running.
    pub running: bool,
    /// The image to be installed.
    pub image: ImageId,
    /// The name of that image.
    pub image_name: Option<String>,
    /// Its key pair, by name.
    pub key_name: Option<String>,
    /// The system disk.
    pub system_volume: VolumeId,
    /// The data disks.
    pub data_volumes: Vec<VolumeId>,
    /// Addresses and MACs.
    pub addresses: Vec<Address>,
}

/// The server as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct After {
    /// When.
    #[serde(serialize_with = "utc")]
    pub at: Timestamp,
    /// How.
    #[serde(flatten)]
    pub seen: Seen,
}

impl After {
    fn of(record: &Record) -> Option<Self> {
        let Event::JobEnded { end: JobEnd::Failed { seen, .. }, .. } = &record.event else {
            return None;
        };
        let seen = seen.as_deref()?.clone();
        Some(Self { at: record.wall, seen })
    }
}

/// A reinstall job that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedJob {
    /// When that was seen.
    #[serde(serialize_with = "utc")]
    pub at: Timestamp,
    /// Its id; `None`: it was lost with an answer.
    pub job: Option<JobId>,
    /// The cloud's code.
    pub code: String,
    /// The cloud's sentence.
    pub reason: String,
    /// `false` only if the old system disk was seen in its place afterwards.
    pub wiped: bool,
}

impl FailedJob {
    fn of(record: &Record) -> Option<Self> {
        let Event::JobEnded { job, end: JobEnd::Failed { code, reason, wiped, .. }, .. } =
            &record.event
        else {
            return None;
        };
        let (code, reason) = (code.clone(), reason.clone());
        Some(Self { at: record.wall, job: job.clone(), code, reason, wiped: *wiped })
    }
}

/// A server's case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Support {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Its fleet.
    pub fleet: FleetName,
    /// Where it is.
    pub phase: Phase,
    /// Why it did not get there.
    pub failure: Option<Failure>,
    /// Whether it runs, and what became of its disk.
    pub standing: Standing,
    /// The run that it was in.
    pub run: Option<Outline>,
    /// As the plan knew it; `None`: the plan cannot be read.
    pub before: Option<AsPlanned>,
    /// As it was seen after its last failed reinstall.
    pub after: Option<After>,
    /// What was tried.
    pub tried: Vec<Chapter>,
    /// Reinstall jobs that failed.
    pub failed: Vec<FailedJob>,
    /// The moment of the last record that concerns it.
    #[serde(serialize_with = "utc")]
    pub last: Timestamp,
    #[serde(skip)]
    records: Vec<Record>,
}

/// Which server somebody means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// This one.
    One(ServerId),
    /// Several have the name.
    Several(Vec<ServerId>),
    /// None of the run has that id or name.
    Nobody,
}

/// The server of that id, or the only one of that name.
#[must_use]
pub fn find(records: &[Record], wanted: &str) -> Meant {
    let servers = Fold::of(records).servers;
    if let Some((id, _)) = servers.get_key_value(wanted) {
        return Meant::One(id.clone());
    }
    let mut named: Vec<ServerId> =
        servers.into_values().filter(|server| server.name == wanted).map(|it| it.id).collect();
    match named.len() {
        0 | 1 => named.pop().map_or(Meant::Nobody, Meant::One),
        _ => Meant::Several(named),
    }
}

impl Support {
    /// The case of a server in the run that these are the records of; `None`: it has none there.
    pub fn of(
        records: &[Record],
        server: &ServerId,
        before: Option<AsPlanned>,
    ) -> Result<Option<Self>, Error> {
        let records = about(records, server)?;
        let fold = Fold::of(&records);
        let Some(state) = fold.servers.get(server).cloned() else { return Ok(None) };
        Ok(Some(Self {
            id: state.id,
            name: state.name,
            fleet: state.fleet,
            phase: state.phase,
            failure: state.failure,
            standing: state.standing,
            run: fold.outline,
            before,
            after: records.iter().rev().find_map(After::of),
            tried: tried(&records),
            failed: records.iter().filter_map(FailedJob::of).collect(),
            last: fold.last,
            records,
        }))
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        if let Phase::Ended(ending) = self.phase { Some(ending) } else { None }
    }

    /// What goes into the archive: names and contents, in order.
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
        let mut events = Vec::new();
        for record in &self.records {
            serde_json::to_writer(&mut events, record)?;
            events.push(b'\n');
        }
        let mut server = serde_json::to_vec_pretty(self)?;
        server.push(b'\n');
        let request = self.letter().into_bytes();
        Ok(vec![("events.jsonl", events), ("request.txt", request), ("server.json", server)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<Record> {
        let text = include_str!("../../tests/journals/v1/all-kinds.jsonl");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_server_is_meant_by_its_id_or_by_a_name_of_its_own() {
        let mut records = stream();
        assert_eq!(find(&records, "srv-b"), Meant::One("srv-b".into()));
        assert_eq!(find(&records, "web-2"), Meant::One("srv-b".into()));
        for wanted in ["srv", "web", "web-*", ""] {
            assert_eq!(find(&records, wanted), Meant::Nobody, "{wanted}");
        }
        let Event::RunStarted { outline } = &mut records[0].event else { panic!("no outline") };
        outline.fleets[0].waves[1][1].name = "web-2".to_owned();
        outline.fleets[0].waves[1][2].name = "srv-b".to_owned();
        assert_eq!(find(&records, "web-2"), Meant::Several(vec!["srv-b".into(), "srv-c".into()]));
        assert_eq!(find(&records, "srv-b"), Meant::One("srv-b".into()), "an id goes first");
    }

    #[test]
    fn the_records_are_those_of_the_server_and_name_no_other() {
        let case = Support::of(&stream(), &"srv-b".into(), None).unwrap().unwrap();
        let files = case.files().unwrap();
        let text = String::from_utf8(files[0].1.clone()).unwrap();
        for other in ["srv-a", "srv-c", "srv-d", "web-1", "web-3", "workflows/"] {
            assert!(!text.contains(other), "{other} in {text}");
        }
        let kinds = ["run_started", "force_stop", "refused", "started_back"];
        assert!(kinds.iter().all(|kind| text.contains(kind)), "{text}");
        assert!(Support::of(&stream(), &"srv-x".into(), None).unwrap().is_none());
    }
}
