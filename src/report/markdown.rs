//! A run as Markdown: for a merge request, a ticket or a wiki. Start with [`markdown`].
//!
//! Names come from the cloud and sentences may quote it, so every text is escaped: nothing of it can
//! become a link, a table or markup of its own.

use crate::domain::{Record, printable, shown};

use super::page::{Page, ServerRow};

/// The run that these are the records of, as Markdown.
#[must_use]
pub fn markdown(records: &[Record]) -> String {
    let page = Page::of(records);
    let mut text = format!("# {}\n\n**{}**\n\n", escaped(&page.title), escaped(&page.counts));
    if let Some(state) = &page.state {
        text.push_str(&format!("{}\n\n", escaped(state)));
    }
    table(&mut text, &["", ""], page.facts.iter().map(|(name, value)| vec![name, value]));
    for group in &page.groups {
        text.push_str(&format!("## {}\n\n", escaped(&group.title)));
        if !group.help.is_empty() {
            text.push_str(&format!("What you can do: {}\n\n", escaped(&group.help)));
        }
        bullets(&mut text, &group.servers);
    }
    for list in &page.lists {
        text.push_str(&format!("## {}\n\n", escaped(list.title)));
        bullets(&mut text, &list.lines);
    }
    text.push_str("## Fleets\n\n");
    let fleets: Vec<[String; 3]> = page
        .fleets
        .iter()
        .map(|fleet| [fleet.name.clone(), fleet.servers.to_string(), fleet.phases.clone()])
        .collect();
    table(&mut text, &["Fleet", "Servers", "Where they are"], fleets.iter().map(cells));
    text.push_str("## Servers\n\n");
    let servers: Vec<[String; 11]> = page.servers.iter().map(server).collect();
    let headings = [
        "Fleet",
        "Wave",
        "Server",
        "Id",
        "Where it is",
        "Stopped",
        "Down since",
        "Wiped",
        "Jobs",
        "Ended",
        "Took",
    ];
    table(&mut text, &headings, servers.iter().map(cells));
    text.truncate(text.trim_end().len());
    text.push('\n');
    printable(&text).into_owned()
}

fn cells<const N: usize>(row: &[String; N]) -> Vec<&String> {
    row.iter().collect()
}

fn server(row: &ServerRow) -> [String; 11] {
    let phase =
        if row.why.is_empty() { row.phase.clone() } else { format!("{} ({})", row.phase, row.why) };
    [
        row.fleet.clone(),
        row.wave.to_string(),
        row.name.clone(),
        row.id.clone(),
        phase,
        row.stopped.clone(),
        row.down.clone(),
        row.wiped.clone(),
        row.jobs.clone(),
        row.ended.clone(),
        row.took.clone(),
    ]
}

fn table<'t>(text: &mut String, headings: &[&str], rows: impl Iterator<Item = Vec<&'t String>>) {
    text.push_str(&format!("| {} |\n|{}\n", headings.join(" | "), "---|".repeat(headings.len())));
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(|cell| escaped(cell)).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text.push('\n');
}

fn bullets(text: &mut String, lines: &[String]) {
    for line in lines {
        text.push_str(&format!("- {}\n", escaped(line)));
    }
    text.push('\n');
}

/// A text that means itself, on one line.
fn escaped(text: &str) -> String {
    let text = &*shown(text);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // So that no address or name of a person becomes a link by itself.
            '@' => out.push_str("&#64;"),
            ':' if text[at..].starts_with("://") => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '!' | '~' => {
                out.push('\\');
                out.push(c);
            }
            // At the beginning of a line these make a list; a text may be put there.
            '-' | '+' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
