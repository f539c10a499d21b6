//! `user_data`: a file for the first boot, and what a template inserts into it.
//!
//! Start with [`read`]. The text of a template is looked at here, so that a misspelt insert is a
//! problem of the playbook and not of a server that is wiped already; the values of servers are
//! known only to the plan. User data may hold secrets in any of its lines: no picture shows more of
//! it than its inserts.

use crate::domain::{HostValue, Insert, MAX_USER_DATA};
use crate::yaml::{Node, Span};

use super::insert::{Matrix, Var};
use super::lower::{Desk, Named};
use super::problem::{Code, Problem};
use super::source::Source;
use super::spec::{Inserts, UserData};
use super::treatment::text;
use super::{scalars, suggest};

/// More problems of one template are not worth telling one by one.
const MAX_PROBLEMS: usize = 10;

/// Reads what stands behind `user_data`; `None` if it is refused, which is told.
pub(super) fn read(desk: &mut Desk<'_>, node: &Node) -> Option<UserData> {
    let file = node.get("file")?;
    let template = node.get("template").map(|node| text(node).and_then(scalars::flag));
    let before = desk.problems.len();
    let read = match template {
        None | Some(Some(false)) => as_it_is(desk, file),
        Some(Some(true)) => filled_in(desk, file),
        // Neither true nor false, which is told elsewhere.
        Some(None) => None,
    };
    if desk.problems.len() > before || template == Some(None) {
        desk.may_use_all();
    }
    read
}

/// A file that is sent byte for byte.
fn as_it_is(desk: &mut Desk<'_>, file: &Node) -> Option<UserData> {
    let named = desk.read(file)?;
    fits(desk, file, &named, named.bytes.len()).then(|| UserData::as_it_is(named.file))
}

/// A file that is filled in for each server.
fn filled_in(desk: &mut Desk<'_>, file: &Node) -> Option<UserData> {
    let named = desk.read(file)?;
    let Ok(text) = std::str::from_utf8(&named.bytes) else {
        let message = format!("`{}` is not UTF-8", named.file.path);
        desk.report(
            Problem::error(Code::NotUtf8, message)
                .label(file.span, "named here")
                .help("save the file as UTF-8; without `template: true` it is sent as it is"),
        );
        return None;
    };
    let found = inserts(text);
    let inserted: usize = found.iter().map(|insert| insert.text.len()).sum();
    let bytes = text.len() - inserted;
    if !fits(desk, file, &named, bytes) {
        return None;
    }
    let mut inserts = Inserts { bytes, ..Inserts::default() };
    let mut problems = Vec::new();
    for (number, insert) in found.iter().enumerate() {
        match resolve(desk, insert) {
            Ok((name, value)) => {
                *inserts.names.entry(name.to_owned()).or_insert(0) += 1;
                inserts.values.extend(value.map(|value| (name.to_owned(), value)));
            }
            Err(wrong) => problems.push((number, wrong)),
        }
    }
    if problems.is_empty() {
        return Some(UserData { file: named.file, inserts: Some(inserts) });
    }
    tell(desk, &named.file.path, (text, &found), problems);
    None
}

/// Whether the cloud would take so much, whatever is inserted.
fn fits(desk: &mut Desk<'_>, file: &Node, named: &Named, bytes: usize) -> bool {
    if bytes > MAX_USER_DATA {
        let message = format!("`{}` has {bytes} bytes, not counting inserts", named.file.path);
        desk.report(
            Problem::error(Code::TooLarge, message)
                .label(file.span, "user data may have 32 KiB")
                .help("make it smaller: user data can fetch what is large when the server boots"),
        );
    }
    bytes <= MAX_USER_DATA
}

/// Every insert of a text. One that ends in another line was never closed: what it swallows is looked
/// at as well.
fn inserts(text: &str) -> Vec<Insert<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(insert) = Insert::first(&text[from..]) {
        let insert = Insert { at: from + insert.at, ..insert };
        let insert = if insert.text.contains('\n') {
            Insert { text: &insert.text[..2], name: None, ..insert }
        } else {
            insert
        };
        from = insert.end();
        found.push(insert);
    }
    found
}

/// What is wrong with an insert.
struct Wrong {
    code: Code,
    message: String,
    label: &'static str,
    help: String,
}

/// The name, and its value where that does not differ from server to server.
fn resolve<'t>(
    desk: &mut Desk<'_>,
    insert: &Insert<'t>,
) -> Result<(&'t str, Option<String>), Wrong> {
    let Some(name) = insert.name else {
        return Err(Wrong {
            code: Code::BadInsert,
            message: "this insert is never closed".to_owned(),
            label: "`}}` is missing in this line",
            help: format!("write it as `{{{{ host.name }}}}`; {AS_IT_IS}"),
        });
    };
    if HostValue::named(name).is_some() {
        return Ok((name, None));
    }
    let (root, key) = name.split_once('.').unwrap_or((name, ""));
    let var = match (root, &desk.matrix) {
        ("matrix", Matrix::Values(values)) => values.get(key).cloned(),
        // There is one, and what is wrong with it was told.
        ("matrix", Matrix::Broken) => return Ok((name, None)),
        _ => desk.seat.vars().get(name).cloned(),
    };
    let Some(Var { key, value }) = var else { return Err(unknown(desk, name)) };
    desk.uses(key);
    // A value that cannot be used was told where it is written.
    Ok((name, value.map(|value| value.text.to_string())))
}

/// For whoever has braces in a file that are not meant for refleet.
const AS_IT_IS: &str = "without `template: true` the file is sent as it is";

fn unknown(desk: &Desk<'_>, name: &str) -> Wrong {
    let root = name.split('.').next().unwrap_or_default();
    let vars = desk.seat.vars();
    let mut known: Vec<String> = vars.keys().map(ToString::to_string).collect();
    if let Matrix::Values(values) = &desk.matrix {
        known.extend(values.keys().map(|key| format!("matrix.{key}")));
    }
    let known: Vec<&str> =
        HostValue::NAMES.into_iter().chain(known.iter().map(|it| &**it)).collect();
    let (code, message, label, help) = if !is_name(name) {
        (
            Code::BadInsert,
            "what stands here is not the name of a value".to_owned(),
            "only a name can stand here",
            format!("inserts are values: no filters, no conditions, no code; {AS_IT_IS}"),
        )
    } else if root == "host" {
        (
            Code::UnknownHostValue,
            format!("there is no value `{name}`"),
            "no server has it",
            suggest::help(name, &HostValue::NAMES, "there are"),
        )
    } else if root == "matrix" && matches!(desk.matrix, Matrix::None) {
        (
            Code::NotAvailableHere,
            format!("`{name}` is not available here"),
            "there is no `matrix`",
            "`matrix.KEY` is a value of the `matrix` of the fleet that names this file".to_owned(),
        )
    } else if let Some(var) = name.strip_prefix("vars.").filter(|var| vars.contains_key(*var)) {
        let help = format!("a variable is inserted by its name alone: `{{{{ {var} }}}}`");
        (Code::UnknownVariable, format!("there is no value `{name}`"), "not a value", help)
    } else {
        let help = format!("{}; {AS_IT_IS}", suggest::help(name, &known, "there are"));
        (Code::UnknownVariable, format!("there is no value `{name}`"), "not a value", help)
    };
    Wrong { code, message, label, help }
}

/// Whether this can be told: anything else may be a part of what is not meant for us.
fn is_name(name: &str) -> bool {
    let fitting = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= 100 && name.chars().all(fitting)
}

/// Tells problems with their places in the template.
fn tell(
    desk: &mut Desk<'_>,
    path: &str,
    (text, found): (&str, &[Insert<'_>]),
    problems: Vec<(usize, Wrong)>,
) {
    let (picture, places) = picture(text, found);
    let source = Source::new(path, picture);
    // Long lines are cut; there is nothing else in it to hide.
    desk.hidden.push((source.clone(), Vec::new()));
    for (number, wrong) in problems.into_iter().take(MAX_PROBLEMS) {
        let Wrong { code, message, label, help } = wrong;
        let place = places.get(number).copied().unwrap_or_default();
        let problem = Problem::error(code, message).label(place, label).help(help);
        desk.report_elsewhere(problem.found_in(&source));
    }
}

/// The text with nothing in it but its inserts, each in its line and its column, and where they are
/// now.
fn picture(text: &str, found: &[Insert<'_>]) -> (String, Vec<Span>) {
    let mut picture = String::new();
    let mut places = Vec::new();
    let mut from = 0;
    for insert in found {
        blank(&text[from..insert.at], &mut picture);
        let start = picture.len();
        if insert.name.is_none_or(is_name) {
            picture.push_str(insert.text);
        } else {
            picture.push_str("{{ … }}");
        }
        places.push(Span::new(start, picture.len()));
        from = insert.end();
    }
    (picture, places)
}

fn blank(text: &str, picture: &mut String) {
    let start_of_line = text.rfind('\n').map_or(0, |at| at + 1);
    picture.extend(text[..start_of_line].matches('\n'));
    picture.extend(text[start_of_line..].chars().map(|c| if c == '\t' { c } else { ' ' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_inserts_in_their_places_and_nothing_else() {
        let text = "#!/bin/sh\npassword: hunter2 {{ host.name }} é {{ a }}\nhunter3\n x {{ 'h' }}y";
        let found = inserts(text);
        let (picture, places) = picture(text, &found);
        assert_eq!(picture, "\n                  {{ host.name }}   {{ a }}\n\n   {{ … }}");
        let shown: Vec<&str> = places.iter().map(|place| &picture[place.range()]).collect();
        assert_eq!(shown, ["{{ host.name }}", "{{ a }}", "{{ … }}"]);
    }

    #[test]
    fn an_insert_ends_in_its_line_and_swallows_no_other() {
        let found = inserts("{{ host.name\n{{ host.id }} }}\n{{");
        let found: Vec<_> = found.iter().map(|insert| (insert.at, insert.name)).collect();
        assert_eq!(found, [(0, None), (13, Some("host.id")), (30, None)]);
    }
}
