//! A run as a page: everything that a report for a browser or for a wiki shows, in words already.
//!
//! Start with [`Page::of`]. The forms (`markdown`, `html`) only lay it out and escape it.

use serde::Serialize;

use crate::domain::{Ending, Phase, Record, Timestamp, count};

use super::account::{Account, accounts};
use super::lines::phases_text;
use super::standing::{Disk, Standing};
use super::text::{CLEARED, DOWN_NOW, UNDONE, UNKNOWN, down_lines};
use super::{Fold, Named, Summary};

/// Jobs and times are shown for people: a server that has none shows this.
const NONE: &str = "–";

/// A run, ready to be laid out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Page {
    pub(super) title: String,
    /// `good`, `bad` or `open`: chooses a colour, and never says more than the words.
    pub(super) mood: &'static str,
    /// The counts, as the last line of every text report.
    pub(super) counts: String,
    /// Why it ended early, or that it did not end.
    pub(super) state: Option<String>,
    pub(super) facts: Vec<(String, String)>,
    pub(super) fleets: Vec<FleetRow>,
    pub(super) groups: Vec<Group>,
    pub(super) lists: Vec<List>,
    pub(super) servers: Vec<ServerRow>,
}

/// A fleet in numbers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FleetRow {
    pub(super) name: String,
    pub(super) servers: u32,
    pub(super) phases: String,
}

/// Equal failures, with what the operator can do (`safety.md`, S18).
#[derive(Clone, Debug, Serialize)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) help: String,
    pub(super) servers: Vec<String>,
}

/// Sentences under a heading.
#[derive(Clone, Debug, Serialize)]
pub(super) struct List {
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
}

/// What was done to one server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ServerRow {
    pub(super) mood: &'static str,
    pub(super) fleet: String,
    pub(super) wave: usize,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) phase: String,
    pub(super) stopped: String,
    pub(super) down: String,
    pub(super) wiped: String,
    pub(super) jobs: String,
    pub(super) ended: String,
    pub(super) took: String,
    pub(super) why: String,
}

impl Page {
    /// The page of the run that these are the records of.
    pub(super) fn of(records: &[Record]) -> Self {
        let fold = Fold::of(records);
        let summary = Summary::from(&fold);
        let name = summary.outline.as_ref().map_or("a run", |outline| outline.name.as_str());
        Self {
            title: format!("refleet: {name}"),
            mood: mood(&summary),
            counts: summary.counts.to_string(),
            state: state(&summary),
            facts: summary.facts(),
            fleets: fleets(&fold, &summary),
            groups: groups(&summary),
            lists: lists(&summary),
            servers: accounts(records, &fold).iter().map(row).collect(),
        }
    }
}

fn mood(summary: &Summary) -> &'static str {
    let wrong = summary.counts.failures() > 0 || !summary.refusals.is_empty();
    match (wrong, summary.finished) {
        (true, _) => "bad",
        (false, true) if summary.groups.is_empty() && summary.counts.pending == 0 => "good",
        (false, true | false) => "open",
    }
}

fn state(summary: &Summary) -> Option<String> {
    let cause = summary.cause_text.as_deref().filter(|cause| *cause != "done");
    match (summary.finished, cause) {
        (false, _) => Some("The run has not ended.".to_owned()),
        (true, Some(cause)) => Some(format!("The run ended early: {cause}.")),
        (true, None) => None,
    }
}

fn fleets(fold: &Fold, summary: &Summary) -> Vec<FleetRow> {
    let rows = summary.fleets.iter().map(|(name, fleet)| FleetRow {
        name: name.to_string(),
        servers: fleet.servers,
        phases: phases_text(fold.servers.values().filter(|server| server.fleet == *name)),
    });
    rows.collect()
}

fn groups(summary: &Summary) -> Vec<Group> {
    let groups = summary.groups.iter().map(|group| {
        let mut title = format!("{} {}", count(group.servers.len(), "server"), group.ending);
        for part in [&group.code, &group.cause].into_iter().filter(|part| !part.is_empty()) {
            title.push_str(": ");
            title.push_str(part);
        }
        let servers = group.servers.iter().map(Named::to_string).collect();
        Group { title, help: group.help.clone(), servers }
    });
    groups.collect()
}

fn lists(summary: &Summary) -> Vec<List> {
    let some = |servers: &[Named]| servers.iter().map(Named::to_string).collect();
    let mut lists = vec![
        List {
            title: "The preflight refused; nothing was touched",
            lines: summary.refusals.clone(),
        },
        List { title: DOWN_NOW, lines: down_lines(&summary.down, usize::MAX) },
        List { title: UNKNOWN, lines: some(&summary.unknown) },
        List { title: CLEARED, lines: some(&summary.cleared) },
        List { title: "Warnings", lines: some(&summary.warnings) },
        List { title: UNDONE, lines: some(&summary.undone) },
    ];
    lists.retain(|list| !list.lines.is_empty());
    lists
}

fn row(account: &Account) -> ServerRow {
    let jobs: Vec<&str> =
        account.wipes.iter().filter_map(|(_, job)| Some(job.as_ref()?.as_str())).collect();
    let why = account.failure.as_ref().map(|failure| {
        let detail = if failure.detail.is_empty() { "" } else { ": " };
        format!("{}: {}{detail}{}", failure.code, failure.cause, failure.detail)
    });
    let standing = &account.standing;
    ServerRow {
        mood: phase_mood(account.phase),
        fleet: account.fleet.to_string(),
        wave: account.wave,
        name: account.name.clone(),
        id: account.id.to_string(),
        phase: account.phase.to_string(),
        stopped: moment(account.stopped),
        down: moment(standing.down_since.filter(|_| standing.is_down())),
        wiped: wiped(standing),
        jobs: if jobs.is_empty() { NONE.to_owned() } else { jobs.join(", ") },
        ended: moment(account.ended),
        took: account.took.map_or_else(|| NONE.to_owned(), |took| took.to_string()),
        why: why.unwrap_or_default(),
    }
}

/// Whether a server was wiped, and when: a moment alone only where that is certain.
fn wiped(standing: &Standing) -> String {
    let at = moment(standing.wiped_at);
    match standing.disk {
        Disk::NotWiped => "no".to_owned(),
        Disk::PerhapsWiped => format!("perhaps ({at})"),
        Disk::Wiped => at,
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NONE.to_owned(), |at| at.to_string())
}

fn phase_mood(phase: Phase) -> &'static str {
    match phase {
        Phase::Ended(Ending::Verified) => "good",
        Phase::Ended(Ending::Failed | Ending::Unknown | Ending::NeedsSupport) => "bad",
        Phase::Ended(Ending::Drifted | Ending::Protected | Ending::Skipped)
        | Phase::Pending
        | Phase::BackingUp
        | Phase::Stopping
        | Phase::Stopped
        | Phase::Validated
        | Phase::Reinstalling
        | Phase::Settling
        | Phase::Verifying => "open",
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Event, Failure, Record};
    use crate::report::{html, junit, markdown};

    fn stream(text: &str) -> Vec<Record> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A run that ended, without the line that only shows a kind.
    fn ended() -> Vec<Record> {
        let mut records = stream(include_str!("../../tests/journals/v1/all-kinds.jsonl"));
        records.retain(|record| !matches!(record.event, Event::PreflightRefused { .. }));
        records
    }

    fn chaos() -> Vec<Record> {
        stream(include_str!("../../tests/journals/v1/chaos.jsonl"))
    }

    #[test]
    fn a_run_that_ended_in_every_form() {
        insta::assert_snapshot!("ended_junit", junit(&ended()).unwrap());
        insta::assert_snapshot!("ended_markdown", markdown(&ended()));
        insta::assert_snapshot!("ended_html", html(&ended()).unwrap());
    }

    #[test]
    fn a_run_that_goes_on_in_every_form() {
        insta::assert_snapshot!("chaos_junit", junit(&chaos()).unwrap());
        insta::assert_snapshot!("chaos_markdown", markdown(&chaos()));
        assert!(html(&chaos()).unwrap().contains("<p>The run has not ended.</p>"));
    }

    const HOSTILE: &str = "</td><script>alert(1)</script><img src=x onerror=alert(1)> \
         [x](javascript:alert(1)) | `b` \" ' &amp; ]]> https://evil.example @all\n# big\u{1b}[31m";

    /// Every name and every sentence of a run is what an enemy would choose.
    fn hostile() -> Vec<Record> {
        let mut records = ended();
        for record in &mut records {
            if let Event::RunStarted { outline } = &mut record.event {
                outline.name = HOSTILE.to_owned();
                outline.project = HOSTILE.to_owned();
                outline.origin.path = HOSTILE.to_owned();
                for target in outline.fleets.iter_mut().flat_map(|fleet| &mut fleet.waves).flatten()
                {
                    target.name = HOSTILE.to_owned();
                }
            } else if let Event::Ended { failure, warnings, .. } = &mut record.event {
                let text = || HOSTILE.to_owned();
                *failure =
                    Some(Failure { code: text(), cause: text(), detail: text(), help: text() });
                warnings.push(text());
            }
        }
        records
    }

    #[test]
    fn hostile_names_are_text_in_every_form() {
        let page = html(&hostile()).unwrap();
        assert!(page.contains("&lt;script&gt;"), "{page}");
        for live in ["<script", "<img", "onerror=alert(1)>"] {
            assert!(!page.contains(live), "{live} in {page}");
        }
        let text = markdown(&hostile());
        assert!(text.contains("&lt;script&gt;"), "{text}");
        for live in ["<script", "<img", "[x](", "\n# big", "://", "@all", " | `b`", "\u{1b}"] {
            assert!(!text.contains(live), "{live:?} in {text}");
        }
        let xml = junit(&hostile()).unwrap();
        assert!(xml.contains("&lt;script&gt;"), "{xml}");
        for live in ["<script", "<img", "]]>", "\u{1b}"] {
            assert!(!xml.contains(live), "{live:?} in {xml}");
        }
    }

    #[test]
    fn a_page_asks_no_network_and_runs_nothing() {
        let page = html(&ended()).unwrap();
        assert!(page.contains("default-src 'none'"), "{page}");
        for live in ["http://", "https://", "src=", "@import", "url(", "<script", "<link"] {
            assert!(!page.contains(live), "{live} in {page}");
        }
    }

    #[test]
    fn every_server_of_a_run_is_in_every_form() {
        for records in [ended(), chaos()] {
            let fold = super::Fold::of(&records);
            let forms = [junit(&records).unwrap(), markdown(&records), html(&records).unwrap()];
            for (id, form) in fold.servers.keys().flat_map(|id| forms.iter().map(move |f| (id, f)))
            {
                assert!(form.contains(id.as_str()), "{id} is not in {form}");
            }
        }
    }

    #[test]
    fn a_run_without_records_has_forms_too() {
        assert!(junit(&[]).unwrap().contains("not_ended"));
        assert!(markdown(&[]).contains("nothing to do"));
        assert!(html(&[]).unwrap().contains("nothing to do"));
    }
}
