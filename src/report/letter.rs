//! A server's case as a text that can be sent to the cloud's support as it is.
//!
//! Start with [`Support::letter`]. It asks for something only where something failed.

use std::fmt::Display;

use crate::domain::{Ending, JobId, Lines, count};

use super::Support;
use super::standing::Disk;
use super::support::AsPlanned;
use super::tried::{Chapter, Step, seen_text};

impl Support {
    /// The text, ready to send.
    #[must_use]
    pub fn letter(&self) -> String {
        let mut text = Lines::new();
        self.write(&mut text);
        text.into_text()
    }

    fn write(&self, out: &mut Lines) {
        out.line(format_args!("Subject: {}", self.subject()));
        out.blank();
        if self.run.as_ref().is_some_and(|run| run.simulated) {
            out.line("(From a rehearsal on a simulated cloud: there is nobody to send this to.)");
            out.blank();
        }
        out.line(self.opening());
        out.blank();
        self.write_server(out);
        self.write_states(out);
        for chapter in &self.tried {
            write_chapter(out, chapter);
        }
        self.write_wishes(out);
        if let Some(run) = &self.run {
            out.blank();
            out.line(format_args!("All times are UTC. Recorded by refleet, run {}.", run.run));
        }
    }

    fn subject(&self) -> String {
        let what = match self.failed.last() {
            Some(job) => format!("reinstalling the OS failed with {}", job.code),
            None => "reinstalling the OS".to_owned(),
        };
        format!("server {} ({}): {what}", self.id, self.name)
    }

    fn opening(&self) -> String {
        let times = count(self.failed.len(), "time");
        let ended = self.ending().map_or_else(
            || format!("It is {} and has not ended.", self.phase),
            |ending| format!("refleet left it as {ending}."),
        );
        let disk = match self.standing.disk {
            Disk::NotWiped => " Its old system disk was still in its place afterwards.",
            Disk::PerhapsWiped => " Nothing shows that its old system is still on its disk.",
            Disk::Wiped => "",
        };
        let disk = if self.asks() { disk } else { "" };
        if !self.failed.is_empty() {
            format!("The reinstall of this server's OS failed {times}. {ended}{disk}")
        } else if let Some(job) = self.open_job() {
            format!(
                "The reinstall of this server's OS was accepted as job {job}, and its end was not \
                 seen. {ended}"
            )
        } else if self.asks() {
            format!(
                "The answer to the reinstall of this server's OS was lost, and nothing shows whether \
                 it happened. {ended}"
            )
        } else {
            format!("No reinstall of this server's OS failed. {ended}")
        }
    }

    /// The job that had not ended when it was last looked at, where somebody has to ask for it.
    fn open_job(&self) -> Option<&JobId> {
        self.standing.job.as_ref().filter(|_| self.standing.job_open && self.asks())
    }

    /// Whether there is something that only the cloud's support can mend or say.
    fn asks(&self) -> bool {
        match self.ending() {
            Some(Ending::NeedsSupport | Ending::Unknown) => true,
            Some(Ending::Failed | Ending::Drifted) => !self.failed.is_empty(),
            Some(Ending::Verified | Ending::Protected | Ending::Skipped) | None => false,
        }
    }

    fn write_server(&self, out: &mut Lines) {
        out.line("Server");
        line(out, "id", &self.id);
        line(out, "name", &self.name);
        if let Some(run) = &self.run {
            line(out, "project", &run.project);
            line(out, "region", &run.region);
        }
        if let Some(before) = &self.before {
            write_plan(out, before);
        }
        out.blank();
    }

    fn write_states(&self, out: &mut Lines) {
        out.line("State");
        match &self.before {
            Some(before) => {
                let power = if before.running { "running" } else { "stopped" };
                let disk = &before.system_volume;
                line(
                    out,
                    "before",
                    format!("{power} with system disk {disk} ({})", before.looked_at),
                );
            }
            None => line(out, "before", "not known: the plan cannot be read"),
        }
        match &self.after {
            Some(after) => {
                line(out, "after", format!("{} ({})", seen_text(&after.seen), after.at));
            }
            None => line(out, "after", "no look after a failed reinstall was recorded"),
        }
        if let Some(failure) = &self.failure {
            let detail = if failure.detail.is_empty() { "" } else { ": " };
            line(
                out,
                "verdict",
                format!("{}: {}{detail}{}", failure.code, failure.cause, failure.detail),
            );
        }
        out.blank();
    }

    fn write_wishes(&self, out: &mut Lines) {
        out.line("What we ask for");
        if !self.asks() {
            return out.line("  (nothing that refleet knows of)");
        }
        let jobs: Vec<&str> = self
            .failed
            .iter()
            .filter_map(|failed| failed.job.as_ref())
            .map(JobId::as_str)
            .collect();
        if let Some(job) = self.open_job() {
            out.line(format_args!("  1. Tell us how job {job} ended, or whether it still runs."));
        } else if jobs.is_empty() {
            out.line("  1. Tell us whether the reinstall happened, and with which job.");
        } else {
            out.line(format_args!("  1. Tell us why it failed: job {}.", jobs.join(", job ")));
        }
        let old = self.before.as_ref().map(|before| format!(" {}", before.system_volume));
        let old = old.unwrap_or_default();
        out.line(format_args!(
            "  2. Tell us what became of the system disk{old}, and which disk is in its place."
        ));
        out.line(
            "  3. Bring the server into a state in which its OS can be reinstalled. Its data disks,",
        );
        out.line("     ports and addresses must stay as they are.");
    }
}

fn write_plan(out: &mut Lines, before: &AsPlanned) {
    line(out, "zone", &before.zone);
    let name = before.image_name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    line(out, "image", format!("{}{name}", before.image));
    if let Some(key) = &before.key_name {
        line(out, "key pair", key);
    }
    line(out, "system disk", &before.system_volume);
    for volume in &before.data_volumes {
        line(out, "data disk", volume);
    }
    for address in &before.addresses {
        line(
            out,
            "address",
            format!("{} (MAC {}, port {})", address.addr, address.mac, address.port),
        );
    }
}

fn write_chapter(out: &mut Lines, chapter: &Chapter) {
    match chapter.attempt {
        0 => out.line("Before the first attempt"),
        attempt => out.line(format_args!("Attempt {attempt}")),
    }
    for Step { at, what, job, request_id } in &chapter.steps {
        let job = job.as_ref().map(|job| format!("job {job}"));
        let request = request_id.as_ref().map(|request| format!("request {request}"));
        let ids: Vec<String> = job.into_iter().chain(request).collect();
        let ids = if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) };
        out.line(format_args!("  {at}  {what}{ids}"));
    }
    out.blank();
}

fn line(out: &mut Lines, name: &str, value: impl Display) {
    out.line(format_args!("  {name:<12}{value}"));
}

#[cfg(test)]
mod tests {
    use crate::domain::Record;

    use super::*;

    fn case(journal: &str, server: &str) -> Support {
        let records: Vec<Record> =
            journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Support::of(&records, &server.into(), None).unwrap().unwrap()
    }

    #[test]
    fn a_server_that_nobody_has_to_mend_is_told_without_a_wish() {
        let all = include_str!("../../tests/journals/v1/all-kinds.jsonl");
        insta::assert_snapshot!("verified_letter", case(all, "srv-a").letter());
        let drifted = case(all, "srv-c").letter();
        assert!(drifted.contains("refleet left it as drifted."), "{drifted}");
        assert!(drifted.contains("(nothing that refleet knows of)"), "{drifted}");
        let before: String = all.lines().take(40).map(|line| format!("{line}\n")).collect();
        let pending = case(&before, "srv-d").letter();
        assert!(pending.contains("It is pending and has not ended."), "{pending}");
    }

    #[test]
    fn a_server_in_doubt_asks_whether_it_happened() {
        let chaos = include_str!("../../tests/journals/v1/chaos.jsonl");
        let servers = ["srv-0", "srv-1", "srv-2", "srv-3", "srv-4", "srv-5"];
        let unknown = servers.map(|server| case(chaos, server));
        let unknown = unknown.iter().find(|case| case.ending() == Some(Ending::Unknown)).unwrap();
        let letter = unknown.letter();
        assert!(letter.contains("nothing shows whether it happened"), "{letter}");
        assert!(letter.contains("1. Tell us whether the reinstall happened"), "{letter}");
    }
}
