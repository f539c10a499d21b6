//! Ansible's INI inventories: sections of hosts, of children and of variables.
//!
//! Variables are how Ansible reaches a server; they mean nothing here and may be secret, so they are
//! neither read nor shown.

use super::super::problem::{Code, Problem};
use super::super::suggest::shown;
use super::groups::Groups;
use super::ranges;
use crate::yaml::Span;

/// What a text holds.
#[derive(Default)]
pub(super) struct Ini {
    pub(super) groups: Groups,
    pub(super) problems: Vec<Problem>,
    /// Variables: never shown.
    pub(super) hidden: Vec<Span>,
}

/// What the lines below a heading are.
enum Section {
    Hosts(String),
    Children(String),
    Other,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Ini {
    let mut ini = Ini::default();
    let mut section = Section::Hosts("ungrouped".to_owned());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let begin = start + (line.len() - line.trim_start().len());
        start += line.len();
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            // A variable that was switched off is as secret as one that was not.
            ini.hidden.push(Span::new(begin, begin + content.len()));
            continue;
        }
        let span = Span::new(begin, begin + content.len());
        if let Some(heading) = content.strip_prefix('[').filter(|_| !content.contains('=')) {
            if let Some(named) = ini.heading(heading, span) {
                section = named;
                continue;
            }
            if matches!(section, Section::Other) {
                continue;
            }
        }
        ini.line(&section, content, span);
    }
    ini.hidden.retain(|span| span.start < span.end);
    ini.problems.extend(ini.groups.problems());
    ini
}

impl Ini {
    /// `[web]`, `[web:children]`, `[web:vars]`. A pattern of hosts may begin with a bracket as well.
    fn heading(&mut self, heading: &str, span: Span) -> Option<Section> {
        let heading = heading.split(" #").next().unwrap_or(heading).trim_end();
        let name = heading.strip_suffix(']')?;
        let section = match name.split_once(':') {
            None => {
                self.groups.define(name);
                Section::Hosts(name.to_owned())
            }
            Some((group, "children")) => {
                self.groups.define(group);
                Section::Children(group.to_owned())
            }
            Some((_, "vars")) => Section::Other,
            Some(_) if ranges::expand(&format!("[{heading}")).is_ok() => return None,
            Some(_) => {
                self.problems.push(
                    Problem::error(
                        Code::BadInventory,
                        format!("there is no kind of section like {}", shown(name)),
                    )
                    .label(span, "not a section")
                    .help("`[group]`, `[group:children]` or `[group:vars]`"),
                );
                Section::Other
            }
        };
        Some(section)
    }

    fn line(&mut self, section: &Section, content: &str, span: Span) {
        let word = content.split_whitespace().next().unwrap_or_default();
        let behind = Span::new(span.start as usize + word.len(), span.end as usize);
        let span = Span::new(span.start as usize, span.start as usize + word.len());
        match section {
            Section::Other => self.hidden.push(Span { start: span.start, ..behind }),
            Section::Children(group) => {
                self.hidden.push(behind);
                self.groups.adopt(group, word, span);
            }
            Section::Hosts(group) => {
                self.hidden.push(behind);
                self.host(group, word, span);
            }
        }
    }

    fn host(&mut self, group: &str, word: &str, span: Span) {
        if word.contains('=') {
            self.hidden.push(span);
            self.problems.push(
                Problem::error(Code::BadInventory, "a variable where a host should be")
                    .label(span, "not a host")
                    .help("variables stand behind a host, or below `[group:vars]`"),
            );
            return;
        }
        self.problems.extend(self.groups.expand(group, without_port(word), span));
    }
}

/// Ansible lets a port follow a host.
fn without_port(word: &str) -> &str {
    match word.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !in_brackets(host) => host,
        _ => word,
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a bracket is still open at the end.
fn in_brackets(text: &str) -> bool {
    text.rfind('[') > text.rfind(']')
}
