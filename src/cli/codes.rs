//! The cloud's codes for people: one of them in full, or all of them as `docs/errors.md`.
//!
//! Start with [`explain`].

use crate::domain::{CloudCode, CostClass, FaultClass, Meaning};

const HEAD: &str = "\
# Errors of the cloud

What refleet makes of each code of the cloud, and who can mend it. This file is printed by
`refleet explain errors`; `refleet explain CODE` prints one of them.

A code decides before the HTTP status does. The gateway's codes are written with `APIGW.` or `APIG.`. Where an
answer has no code that is known, its status decides: 401 is `unauthorised`, 403 `forbidden`, 404 `not_found`, 409
`state`, 429 (and 413 with `Retry-After`) `throttled`; 408, every 5xx and a 2xx without what was asked for are
`lost` after a change and `transient` after a look, and there a 503 with `Retry-After` is `throttled`. Of the rest, what is
known to be said before anything is done is `invalid` (400 without a code, 405, 413, 415 …); any other status, and a 400
with a code that is not listed here, is `lost` after a change. A connection that was never made is
`transient`; one that broke after something was sent is `lost` after a change. A reinstall that was answered with 202
and no job is `lost` whatever its code, `Common.0024` included: the cloud documents 202 as accepted and delayed, too.

A token that has ended is renewed once and the request sent again; `unauthorised` is what is left after that.

";

/// A code of the cloud in full; `None`: it is not known.
pub(super) fn explain(code: &str) -> Option<String> {
    let known = CloudCode::of(code)?;
    let mut text = format!("{}: {}\n\n", known.code, known.title);
    match known.meaning {
        Meaning::Is(class) => {
            text.push_str(&format!("It means: {} (`{class}`).\n", class.meaning()));
            text.push_str(&format!("A change is {}", class.remedy(CostClass::Mutating)));
        }
        Meaning::PerhapsDone => text.push_str(
            "It means: nobody knows how far the request came. A look is made again; a change is \
             looked up, and sent again only if it was not done",
        ),
        Meaning::ByStatus => text.push_str("It comes in several cases, so the HTTP status decides"),
    }
    let wait = known.wait.map(|wait| format!(", not before {wait}"));
    text.push_str(&format!("{}.\n\nTo mend it: {}.\n", wait.unwrap_or_default(), known.mend));
    Some(text)
}

/// A code of the cloud for programs.
pub(super) fn view(known: &CloudCode) -> serde_json::Value {
    let CloudCode { code, meaning, wait, title, mend } = known;
    let meaning = match meaning {
        Meaning::Is(class) => class.to_string(),
        Meaning::PerhapsDone => "perhaps_done".to_owned(),
        Meaning::ByStatus => "by_status".to_owned(),
    };
    serde_json::json!({
        "code": code, "title": title, "meaning": meaning, "mend": mend,
        "wait": wait.map(|wait| wait.to_string()),
    })
}

/// All of them, as Markdown.
pub(super) fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&table([
        "Class",
        "Means",
        "A change is",
        "The operator is told, unless a code says more",
    ]));
    for class in FaultClass::ALL {
        let (remedy, advice) = (class.remedy(CostClass::Mutating), class.advice());
        text.push_str(&format!("| `{class}` | {} | {remedy} | {advice} |\n", class.meaning()));
    }
    let mut family = "";
    for known in CloudCode::all() {
        let of = known.code.split('.').next().unwrap_or_default();
        if of != family {
            family = of;
            text.push_str(&format!("\n## {family}\n\n"));
            text.push_str(&table(["Code", "Means", "Class", "The operator is told"]));
        }
        let CloudCode { code, title, mend, .. } = known;
        text.push_str(&format!("| `{code}` | {title} | {} | {mend} |\n", class(known)));
    }
    text
}

fn table(heads: [&str; 4]) -> String {
    format!("| {} |\n|---|---|---|---|\n", heads.join(" | "))
}

fn class(known: &CloudCode) -> String {
    let class = match known.meaning {
        Meaning::Is(class) => format!("`{class}`"),
        Meaning::PerhapsDone => "`lost` after a change, else `transient`".to_owned(),
        Meaning::ByStatus => "by status".to_owned(),
    };
    let wait = known.wait.map(|wait| format!(", not before {wait}"));
    format!("{class}{}", wait.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_table() {
        let written = include_str!("../../docs/errors.md");
        assert!(written == document(), "write it anew: refleet explain errors > docs/errors.md");
    }

    #[test]
    fn a_code_is_explained_by_what_is_done_and_who_can_mend_it() {
        let told = |code| explain(code).unwrap();
        assert!(
            told("Ecs.0314").contains("not sent again.\n\nTo mend it: a key pair is visible only")
        );
        assert!(told("Ecs.0603").contains("as `retry.busy` says, not before 1m."));
        assert!(told("APIG.0308").starts_with("APIGW.0308: "));
        assert!(told("Ecs.1002").contains("nobody knows how far"));
        assert!(explain("Ecs.9999").is_none());
    }
}
