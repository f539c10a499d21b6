//! Ansible's INI inventories: sections of hosts, of children and of variables.
//!
//! Lines are cut as Ansible cuts them, and what Ansible refuses is refused. Variables are how Ansible
//! reaches a server; they mean nothing here and may be secret, so they are neither read nor shown.

use super::super::problem::{Code, Problem};
use super::super::suggest::{self, shown};
use super::groups::Groups;
use super::words::{Word, words};
use crate::yaml::Span;

/// What a text holds.
#[derive(Default)]
pub(super) struct Ini {
    pub(super) groups: Groups,
    pub(super) problems: Vec<Problem>,
    /// Variables: never shown.
    pub(super) hidden: Vec<Span>,
    /// Groups that have variables: each has to be a group.
    varied: Vec<(String, Span)>,
}

/// What the lines below a heading are.
enum Section {
    Hosts(String),
    Children(String),
    Variables,
    /// Below a heading that was refused.
    Unknown,
}

/// What Python takes for the end of a line, besides the usual ones.
const OTHER_ENDS: [char; 9] =
    ['\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// Reads a text.
pub(super) fn read(text: &str) -> Ini {
    let mut ini = Ini::default();
    let mut section = Section::Hosts("ungrouped".to_owned());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let begin = start + (line.len() - line.trim_start().len());
        start += line.len();
        let content = line.trim();
        let span = Span::new(begin, begin + content.len());
        if let Some(at) = content.find(OTHER_ENDS) {
            ini.hidden.push(span);
            ini.refuse(
                Span::new(begin + at, begin + at),
                "a sign inside of a line that Ansible takes for its end",
                "save the file with the line ends of Unix or of Windows, and without form feeds",
            );
            continue;
        }
        if content.is_empty() || content.starts_with(['#', ';']) {
            // A variable that was switched off is as secret as one that was not.
            ini.hidden.push(span);
            continue;
        }
        match heading(content) {
            Some((name, kind)) => section = ini.section(name, kind, span),
            None => ini.line(&section, content, span),
        }
    }
    ini.hidden.retain(|span| span.start < span.end);
    ini.without_group();
    ini.problems.extend(ini.groups.problems());
    ini
}

/// The group and the kind of a heading, which may be followed by a comment.
pub(super) fn heading(line: &str) -> Option<(&str, Option<&str>)> {
    let (inside, behind) = line.strip_prefix('[')?.split_once(']')?;
    let behind = behind.trim_start();
    if !behind.is_empty() && !behind.starts_with('#') {
        return None;
    }
    let (name, kind) = match inside.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (inside, None),
    };
    let is_word = |kind: &str| {
        !kind.is_empty() && kind.chars().all(|sign| sign.is_alphanumeric() || sign == '_')
    };
    let sound = !name.is_empty() && !name.contains(char::is_whitespace);
    (sound && kind.is_none_or(is_word)).then_some((name, kind))
}

impl Ini {
    fn refuse(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::error(Code::BadInventory, message);
        self.problems.push(problem.label(span, "here").help(help));
    }

    /// `[web]`, `[web:children]`, `[web:vars]`.
    fn section(&mut self, name: &str, kind: Option<&str>, span: Span) -> Section {
        match kind {
            None | Some("hosts") => {
                self.groups.define(name);
                Section::Hosts(name.to_owned())
            }
            Some("children") => {
                self.groups.define(name);
                Section::Children(name.to_owned())
            }
            Some("vars") => {
                self.varied.push((name.to_owned(), span));
                Section::Variables
            }
            Some(other) => {
                self.refuse(
                    span,
                    format!("there is no kind of section {}", shown(other)),
                    "a heading is `[group]`, `[group:children]` or `[group:vars]`",
                );
                Section::Unknown
            }
        }
    }

    fn line(&mut self, section: &Section, content: &str, span: Span) {
        if matches!(section, Section::Unknown) {
            self.hidden.push(span);
            return;
        }
        if content.starts_with('[') && content.ends_with(']') {
            if content.contains('=') {
                self.hidden.push(span);
            }
            self.refuse(
                span,
                "this is no heading",
                "a heading is `[group]`, `[group:children]` or `[group:vars]`, without spaces",
            );
            return;
        }
        match section {
            Section::Variables => self.variable(content, span),
            Section::Children(group) => self.child(group, content, span),
            Section::Hosts(group) => self.hosts(group, content, span),
            Section::Unknown => {}
        }
    }

    fn variable(&mut self, content: &str, span: Span) {
        self.hidden.push(span);
        if !content.contains('=') {
            self.refuse(
                span,
                "a line below `[group:vars]` that is no `key=value`",
                "write `key=value`, begin a comment with `#`, or put hosts below `[group]`",
            );
        }
    }

    fn child(&mut self, group: &str, content: &str, span: Span) {
        let begin = span.start as usize;
        if let Some(name) = child(content) {
            self.hidden.push(Span::new(begin + name.len(), span.end as usize));
            self.groups.adopt(group, name, Span::new(begin, begin + name.len()));
            return;
        }
        let first = content.split([' ', '\t', ':', ']']).next().unwrap_or_default();
        let place = Span::new(begin, begin + first.len());
        self.hidden.push(Span::new(begin + first.len(), span.end as usize));
        self.refuse(
            place,
            format!("a line below `[{group}:children]` is more than one group"),
            "write one group a line; a comment begins with ` #`",
        );
    }

    fn hosts(&mut self, group: &str, content: &str, span: Span) {
        let begin = span.start as usize;
        let at = |word: &Word| Span::new(begin + word.start, begin + word.end);
        let words = match words(content) {
            Ok(words) => words,
            Err(why) => {
                let first = content.split([' ', '\t', '=']).next().unwrap_or_default();
                let place = Span::new(begin, begin + first.len());
                self.hidden.push(Span::new(begin + first.len(), span.end as usize));
                let message = format!("the line has {why}");
                let help = "close it, or write `\\` before a quote or backslash meant as itself";
                return self.refuse(place, message, help);
            }
        };
        let Some((host, variables)) = words.split_first() else { return };
        if host.text.contains('=') {
            self.hidden.push(span);
            return self.refuse(
                at(host),
                "a variable where a host should be",
                "variables stand behind a host, or below `[group:vars]`",
            );
        }
        // The bare word behind a host is shown; any later one may be a part of a password.
        let bare = variables.iter().position(|word| !word.text.contains('='));
        let shown_to = match bare {
            Some(0) => variables.first().map_or(host.end, |word| word.end),
            Some(_) | None => host.end,
        };
        self.hidden.push(Span::new(begin + shown_to, span.end as usize));
        if let Some((index, word)) = bare.and_then(|index| Some((index, variables.get(index)?))) {
            let what = if index == 0 { shown(&word.text) } else { "a word".to_owned() };
            self.refuse(
                at(word),
                format!("{what} behind the host {} is no `key=value`", shown(&host.text)),
                "write one host a line and `key=value` behind it, with quotes around a text with spaces; a comment begins with `#`",
            );
            return;
        }
        let name = host.text.trim();
        if matches!(name, "" | "---") || (name.ends_with(':') && !name.contains('[')) {
            return self.refuse(
                at(host),
                format!("{} is no host", shown(&host.text)),
                "write the name of a server; if this is a YAML inventory, name the file `….yaml`",
            );
        }
        self.problems.extend(self.groups.expand(group, &host.text, at(host)));
    }

    /// Variables of a group that is nowhere: Ansible refuses them, since the name is misspelt.
    fn without_group(&mut self) {
        let varied = std::mem::take(&mut self.varied);
        let known = self.groups.some_names();
        let told: Vec<Problem> = varied
            .iter()
            .filter(|(name, _)| !self.groups.knows(name))
            .map(|(name, span)| {
                Problem::error(Code::UnknownGroup, format!("there is no group {}", shown(name)))
                    .label(*span, "variables of a group that is not in this file")
                    .help(suggest::help(name, &known, "groups"))
            })
            .collect();
        self.problems.extend(told);
    }
}

/// The group that a line below `[group:children]` names, with no more than a comment behind it.
fn child(line: &str) -> Option<&str> {
    let end = line.find(|sign: char| sign.is_whitespace() || matches!(sign, ':' | ']'));
    let (name, behind) = line.split_at(end.unwrap_or(line.len()));
    let behind = behind.trim_start();
    if behind.is_empty() || behind.starts_with('#') {
        return (!name.is_empty()).then_some(name);
    }
    // `web# the front`: the comment begins in the word.
    name.rfind('#').filter(|at| *at > 0).and_then(|at| name.get(..at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_may_have_a_comment_right_behind_it() {
        for (line, want) in [
            ("[web]", Some(("web", None))),
            ("[web]#x", Some(("web", None))),
            ("[web]  # x]", Some(("web", None))),
            ("[web:vars]", Some(("web", Some("vars")))),
            ("[web-1.x]", Some(("web-1.x", None))),
            ("[web];x", None),
            ("[we b]", None),
            ("[]", None),
            ("[a:b]-x", None),
            ("web", None),
        ] {
            assert_eq!(heading(line), want, "{line}");
        }
    }

    #[test]
    fn a_child_is_one_group_and_a_comment() {
        for (line, want) in [
            ("web", Some("web")),
            ("web # x", Some("web")),
            ("web# x", Some("web")),
            ("web#x", Some("web#x")),
            ("web app", None),
            ("web:app", None),
        ] {
            assert_eq!(child(line), want, "{line}");
        }
    }
}
