//! What the picture of a text may show: no secret (`safety.md`, S16), and no line without an end.
//!
//! A secret that somebody wrote into a playbook must not travel on into a terminal, a log or a CI
//! page just because a problem is near it, whichever problem that is. So the text is masked once,
//! before any problem leaves the room.

use super::parse::LIMITS;
use super::problem::Problem;
use super::scalars::is_env_name;
use super::source::Source;
use crate::yaml::{Node, Span, Tree};

/// Lines longer than this are shown only around what is wrong.
const LONG_LINE: usize = 400;

/// So much of a long line is shown on each side.
const AROUND: usize = 120;

/// A text of a playbook without what is, or may be, a secret; every line keeps its number.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut hidden = hidden(Tree::read(text, LIMITS).root.as_ref(), text);
    hidden.sort_unstable();
    Picture::new(text, &hidden).text
}

/// What is, or may be, a secret in a text and the tree that it was read as, if it was.
pub(super) fn hidden(root: Option<&Node>, text: &str) -> Vec<Span> {
    let Some(root) = root else { return secrets_in_text(text) };
    let mut found = signed(text);
    secrets(root, &mut found);
    found
}

/// Signs with which YAML reads a text as something else than a value: a password may begin with one.
const SIGNS: [char; 3] = ['!', '&', '*'];

/// Behind keys that sound secret, what begins with such a sign: the tree does not have it.
fn signed(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let value = secret_value(content).unwrap_or(content.len());
        let begins = |at: usize| content[..at].ends_with([' ', ':', '{', '[', ',']);
        let signs = content[value..].match_indices(SIGNS).map(|(at, _)| value + at);
        let first = signs.into_iter().find(|at| begins(*at));
        found.extend(first.map(|at| Span::new(start + at, start + content.len())));
        start += line.len();
    }
    found
}

/// Takes the first word of a hidden text out of a sentence about it.
fn unsaid(hidden: &str, sentence: &mut String) {
    let Some(word) = hidden.strip_prefix(SIGNS) else { return };
    let word = word.split(|c: char| c.is_whitespace() || ",}]".contains(c)).next().unwrap_or("");
    if !word.is_empty() && sentence.contains(word) {
        *sentence = sentence.replace(word, "…");
    }
}

/// Finds values that are, or may be, secrets: below `admin_pass` all but references, elsewhere
/// whatever has a key that sounds like one.
fn secrets(node: &Node, found: &mut Vec<Span>) {
    for entry in node.entries().unwrap_or_default() {
        let key = entry.key.text.to_lowercase();
        // A map below `env` is the environment of a step; below a secret, `env` is where it is kept.
        let reference = matches!(&*key, "file" | "command")
            || (key == "env" && entry.value.entries().is_none());
        if sounds_secret(&key) && key != "password_ready" {
            for inner in entry.value.entries().unwrap_or_default() {
                let name = inner.value.scalar().is_none_or(|scalar| is_env_name(&scalar.text));
                let reference = match &*inner.key.text {
                    "env" => name,
                    word => matches!(word, "file" | "command"),
                };
                if !reference {
                    scalars(&inner.value, found);
                }
            }
            if entry.value.entries().is_none() {
                scalars(&entry.value, found);
            }
        } else if !reference {
            secrets(&entry.value, found);
        }
        if entry.value.scalar().is_some_and(|scalar| has_login(&scalar.text)) {
            found.push(entry.value.span);
        }
    }
    for item in node.items().unwrap_or_default() {
        secrets(item, found);
    }
}

/// An address with a user and a password in it.
fn has_login(text: &str) -> bool {
    let Some((_, place)) = text.split_once("://") else { return false };
    place.split('/').next().is_some_and(|host| host.contains('@'))
}

pub(super) fn sounds_secret(key: &str) -> bool {
    const WORDS: [&str; 7] =
        ["pass", "secret", "token", "credential", "user_data", "user-data", "userdata"];
    WORDS.iter().any(|word| key.contains(word))
}

fn scalars(node: &Node, found: &mut Vec<Span>) {
    if node.scalar().is_some_and(|_| !node.is_null() && !node.is_blank()) {
        found.push(node.span);
    }
    node.items().unwrap_or_default().iter().for_each(|item| scalars(item, found));
    node.entries().unwrap_or_default().iter().for_each(|entry| scalars(&entry.value, found));
}

/// The same for a text that is not YAML: whatever stands behind such a key, and whatever is indented
/// below it.
fn secrets_in_text(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut below: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indent = content.len() - content.trim_start().len();
        if below.is_some_and(|key| indent > key) {
            found.push(Span::new(start + indent, start + content.len()));
        } else if !content.is_empty() {
            let value = secret_value(content);
            below = value.map(|_| indent);
            found.extend(value.map(|at| Span::new(start + at, start + content.len())));
        }
        start += line.len();
    }
    found.retain(|span| span.start < span.end);
    found
}

/// Where the value of the first key begins that sounds secret.
fn secret_value(line: &str) -> Option<usize> {
    let colons = line.match_indices(':').map(|(at, _)| at);
    let secret = colons.into_iter().find(|colon| {
        let key = line[..*colon].rsplit([' ', '{', ',', '-', '"']).next().unwrap_or_default();
        sounds_secret(&key.to_lowercase())
    })?;
    let value = &line[secret + 1..];
    Some(secret + 1 + (value.len() - value.trim_start().len()))
}

/// Hides `secrets` and the far ends of long lines from all problems of a text.
pub(super) fn apply(source: &Source, mut hidden: Vec<Span>, problems: &mut [Problem]) {
    let mine = |problem: &Problem| problem.source.name == source.name;
    let labels: Vec<Span> = problems
        .iter()
        .filter(|problem| mine(problem))
        .flat_map(|problem| problem.labels.iter().map(|(span, _)| *span))
        .collect();
    for problem in problems.iter_mut().filter(|problem| mine(problem)) {
        for text in hidden.iter().map(|span| &source.text[span.range()]) {
            unsaid(text, &mut problem.message);
            problem.help.iter_mut().for_each(|help| unsaid(text, help));
        }
    }
    long_lines(&source.text, &labels, &mut hidden);
    if hidden.is_empty() {
        return;
    }
    hidden.sort_unstable();
    let picture = Picture::new(&source.text, &hidden);
    let masked = Source::new(source.name.clone(), picture.text.as_str());
    for problem in problems.iter_mut().filter(|problem| mine(problem)) {
        for (span, _) in &mut problem.labels {
            *span = Span::new(picture.offset(span.start), picture.offset(span.end));
        }
        problem.source = masked.clone();
    }
}

fn long_lines(text: &str, labels: &[Span], hidden: &mut Vec<Span>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if line.len() > LONG_LINE {
            let mut from = start;
            let mut here: Vec<usize> = labels
                .iter()
                .map(|label| label.start as usize)
                .filter(|at| (start..end).contains(at))
                .collect();
            here.sort_unstable();
            if here.is_empty() {
                here.push(start);
            }
            for at in here {
                let near = floor(text, at.saturating_sub(AROUND).max(start));
                if near > from + AROUND {
                    hidden.push(Span::new(from, near));
                }
                from = from.max(floor(text, (at + AROUND).min(end)));
            }
            let stop = start + line.trim_end_matches(['\r', '\n']).len();
            if stop > from {
                hidden.push(Span::new(from, stop));
            }
        }
        start = end;
    }
}

/// The boundary of a character at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A text with spans replaced by `…`, and how offsets moved.
struct Picture {
    text: String,
    /// Of each hidden span: its start and end before, and its start and end now.
    moved: Vec<(Span, Span)>,
}

impl Picture {
    fn new(text: &str, hidden: &[Span]) -> Self {
        let mut picture = Self { text: String::with_capacity(text.len()), moved: Vec::new() };
        let mut from = 0;
        for span in hidden {
            let start = floor(text, (span.start as usize).max(from));
            let end = floor(text, (span.end as usize).max(start));
            if end <= from {
                continue;
            }
            picture.text.push_str(&text[from..start]);
            let now = picture.text.len();
            picture.text.push('…');
            // Lines keep their numbers.
            picture.text.extend(text[start..end].matches('\n'));
            picture.moved.push((Span::new(start, end), Span::new(now, picture.text.len())));
            from = end;
        }
        picture.text.push_str(&text[from..]);
        picture
    }

    fn offset(&self, at: u32) -> usize {
        let index = self.moved.partition_point(|(before, _)| before.start <= at);
        let Some((before, now)) = index.checked_sub(1).and_then(|last| self.moved.get(last)) else {
            return at as usize;
        };
        let position = if at < before.end { now.start } else { now.end + (at - before.end) };
        (position as usize).min(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_move_with_the_text() {
        let picture = Picture::new("abc hunter2 def", &[Span::new(4, 11)]);
        assert_eq!(picture.text, "abc … def");
        assert_eq!([picture.offset(0), picture.offset(5), picture.offset(12)], [0, 4, 8]);
    }

    #[test]
    fn a_text_is_shown_without_its_secrets() {
        let text = "reinstall:\n  admin_pass: hunter2\n  key_name: ops\n";
        assert_eq!(masked(text), "reinstall:\n  admin_pass: …\n  key_name: ops\n");
        assert_eq!(masked("a: [\nadmin_pass: hunter2\n"), "a: [\nadmin_pass: …\n");
        let data = "user_data: { inline: hunter2 }\nb: { user_data: { file: web.yaml } }\n";
        assert_eq!(masked(data), data.replace("hunter2", "…"));
    }

    #[test]
    fn a_password_that_yaml_takes_for_something_else_is_one_all_the_same() {
        let check = |text: &str, shown: &str| assert_eq!(masked(text), shown, "{text}");
        check("admin_pass: !hunter2\nx: y\n", "admin_pass: …\nx: y\n");
        check("a: { admin_pass: &hunter2 }\n", "a: { admin_pass: …\n");
        check("admin_pass: { env: *hunter2 }\n", "admin_pass: { env: …\n");
        check("b: !vault x\nc: *web\n", "b: !vault x\nc: *web\n");
        let mut sentence = "tags such as `!hunter2` are not read".to_owned();
        unsaid("!hunter2 }", &mut sentence);
        assert_eq!(sentence, "tags such as `!…` are not read");
        unsaid("! }", &mut sentence);
        assert_eq!(sentence, "tags such as `!…` are not read");
    }

    #[test]
    fn secrets_are_found_in_what_is_not_yaml() {
        let text = "a: [\nadmin_pass: hunter2\nx: { password: p@ss }\ny:\n  token: |\n    one\n\n    two\n  b: c\n";
        let shown: Vec<&str> =
            secrets_in_text(text).iter().map(|span| &text[span.range()]).collect();
        assert_eq!(shown, ["hunter2", "p@ss }", "|", "one", "two"]);
    }

    #[test]
    fn a_long_line_is_shown_around_its_labels() {
        let text = format!("{}HERE{}\n", "x".repeat(1000), "y".repeat(1000));
        let mut hidden = Vec::new();
        long_lines(&text, &[Span::new(1000, 1004)], &mut hidden);
        let picture = Picture::new(&text, &hidden);
        assert!(picture.text.len() < 300, "{}", picture.text.len());
        let at = picture.offset(1000);
        assert_eq!(&picture.text[at..at + 4], "HERE");
    }
}
