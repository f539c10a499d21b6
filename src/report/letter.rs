//! A server's case as a text that can be sent to the cloud's support as it is.
//!
//! Start with [`Support::letter`]. It asks for something only where something failed.

use std::fmt::{self, Write};

use crate::domain::{Ending, JobId, count};

use super::Support;
use super::support::AsPlanned;
use super::tried::{Chapter, Step, seen_text};

impl Support {
    /// The text, ready to send.
    #[must_use]
    pub fn letter(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        self.write(&mut text).ok();
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Subject: {}\n", self.subject())?;
        if self.run.as_ref().is_some_and(|run| run.simulated) {
            writeln!(
                out,
                "(From a rehearsal on a simulated cloud: there is nobody to send this to.)\n"
            )?;
        }
        writeln!(out, "{}\n", self.opening())?;
        self.write_server(out)?;
        self.write_states(out)?;
        for chapter in &self.tried {
            write_chapter(out, chapter)?;
        }
        self.write_wishes(out)?;
        if let Some(run) = &self.run {
            writeln!(out, "\nAll times are UTC. Recorded by refleet, run {}.", run.run)?;
        }
        Ok(())
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
        let disk = match self.failed.last().filter(|_| self.asks()) {
            Some(job) if job.wiped => {
                " Its system disk may be gone: the old one was not seen in its place afterwards."
            }
            Some(_) => " Its old system disk was still in its place afterwards.",
            None => "",
        };
        if !self.failed.is_empty() {
            format!("The reinstall of this server's OS failed {times}. {ended}{disk}")
        } else if self.asks() {
            format!(
                "The answer to the reinstall of this server's OS was lost, and nothing shows whether \
                 it happened. {ended}"
            )
        } else {
            format!("No reinstall of this server's OS failed. {ended}")
        }
    }

    /// Whether there is something that only the cloud's support can mend or say.
    fn asks(&self) -> bool {
        match self.ending() {
            Some(Ending::NeedsSupport | Ending::Unknown) => true,
            Some(Ending::Failed | Ending::Drifted) => !self.failed.is_empty(),
            Some(Ending::Verified | Ending::Protected | Ending::Skipped) | None => false,
        }
    }

    fn write_server(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "Server")?;
        line(out, "id", &self.id)?;
        line(out, "name", &self.name)?;
        if let Some(run) = &self.run {
            line(out, "project", &run.project)?;
            line(out, "region", &run.region)?;
        }
        if let Some(before) = &self.before {
            write_plan(out, before)?;
        }
        writeln!(out)
    }

    fn write_states(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "State")?;
        match &self.before {
            Some(before) => {
                let power = if before.running { "running" } else { "stopped" };
                let disk = &before.system_volume;
                line(
                    out,
                    "before",
                    format!("{power} with system disk {disk} ({})", before.looked_at),
                )?;
            }
            None => line(out, "before", "not known: the plan cannot be read")?,
        }
        match &self.after {
            Some(after) => {
                line(out, "after", format!("{} ({})", seen_text(&after.seen), after.at))?;
            }
            None => line(out, "after", "no look after a failed reinstall was recorded")?,
        }
        if let Some(failure) = &self.failure {
            let detail = if failure.detail.is_empty() { "" } else { ": " };
            line(
                out,
                "verdict",
                format!("{}: {}{detail}{}", failure.code, failure.cause, failure.detail),
            )?;
        }
        writeln!(out)
    }

    fn write_wishes(&self, out: &mut String) -> fmt::Result {
        if !self.asks() {
            return writeln!(out, "What we ask for\n  (nothing that refleet knows of)");
        }
        let jobs: Vec<&str> = self
            .failed
            .iter()
            .filter_map(|failed| failed.job.as_ref())
            .map(JobId::as_str)
            .collect();
        writeln!(out, "What we ask for")?;
        if jobs.is_empty() {
            writeln!(out, "  1. Tell us whether the reinstall happened, and with which job.")?;
        } else {
            writeln!(out, "  1. Tell us why it failed: job {}.", jobs.join(", job "))?;
        }
        let old = self.before.as_ref().map(|before| format!(" {}", before.system_volume));
        let old = old.unwrap_or_default();
        writeln!(
            out,
            "  2. Tell us what became of the system disk{old}, and which disk is in its place."
        )?;
        writeln!(
            out,
            "  3. Bring the server into a state in which its OS can be reinstalled. Its data disks,"
        )?;
        writeln!(out, "     ports and addresses must stay as they are.")
    }
}

fn write_plan(out: &mut String, before: &AsPlanned) -> fmt::Result {
    line(out, "zone", &before.zone)?;
    let name = before.image_name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    line(out, "image", format!("{}{name}", before.image))?;
    if let Some(key) = &before.key_name {
        line(out, "key pair", key)?;
    }
    line(out, "system disk", &before.system_volume)?;
    for volume in &before.data_volumes {
        line(out, "data disk", volume)?;
    }
    for address in &before.addresses {
        line(
            out,
            "address",
            format!("{} (MAC {}, port {})", address.addr, address.mac, address.port),
        )?;
    }
    Ok(())
}

fn write_chapter(out: &mut String, chapter: &Chapter) -> fmt::Result {
    match chapter.attempt {
        0 => writeln!(out, "Before the first attempt")?,
        attempt => writeln!(out, "Attempt {attempt}")?,
    }
    for Step { at, what, job, request_id } in &chapter.steps {
        let job = job.as_ref().map(|job| format!("job {job}"));
        let request = request_id.as_ref().map(|request| format!("request {request}"));
        let ids: Vec<String> = job.into_iter().chain(request).collect();
        let ids = if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) };
        writeln!(out, "  {at}  {what}{ids}")?;
    }
    writeln!(out)
}

fn line(out: &mut String, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(out, "  {name:<12}{value}")
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
