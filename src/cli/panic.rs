//! What is said when there is a mistake of ours. Start with [`install`].

use std::io::Write as _;
use std::panic::{Location, PanicHookInfo};
use std::sync::OnceLock;

use crate::cloud::Sent;
use crate::domain::{RunId, printable};

/// The run that this process drives.
static RUN: OnceLock<RunId> = OnceLock::new();
/// What a mistake must not show.
static SENT: OnceLock<Sent> = OnceLock::new();

/// From now on, a mistake of ours says that it is one, and how to go on.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|info| {
        let text = message(payload(info), info.location(), RUN.get(), SENT.get());
        drop(writeln!(std::io::stderr().lock(), "{}", printable(&text)));
    }));
}

/// Names the run that a mistake would interrupt.
pub(super) fn drives(run: &RunId) {
    // A process drives one run; a second call would name the same.
    drop(RUN.set(run.clone()));
}

/// Names what a mistake must not show.
pub(super) fn hides(sent: &Sent) {
    // A process talks to one cloud.
    drop(SENT.set(sent.clone()));
}

fn payload<'i>(info: &'i PanicHookInfo<'_>) -> &'i str {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

fn message(
    what: &str,
    place: Option<&Location<'_>>,
    run: Option<&RunId>,
    sent: Option<&Sent>,
) -> String {
    // A text that is cut in the wrong place is quoted by the library, whatever text it is.
    let cut = [" of `", " slicing `"].iter().filter_map(|before| what.find(before)).min();
    let (said, quoted) = cut.map_or((what, ""), |at| (&what[..at], " …"));
    // Who learns a secret right now may be who panicked, so nobody is waited for.
    let said = sent.map_or_else(|| Some(said.to_owned()), |sent| sent.at_once_without(said));
    let said = said.unwrap_or_else(|| "no message that may be shown".to_owned());
    let place = place.map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
    let go_on = run.map_or_else(String::new, |run| {
        format!("\nThe journal is whole. Go on with: refleet resume {run}")
    });
    format!(
        "refleet {} has a bug: {said}{quoted}{place}\nPlease report this line with what you did.{go_on}",
        env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_a_mistake_of_ours_shows_no_secret() {
        let sent = Sent::default();
        sent.learn("Sesame-1!");
        let said = |what: &str| message(what, None, None, Some(&sent));
        let told = said("called `Option::unwrap()` on a `None` value");
        assert!(told.contains("bug: called `Option::unwrap()` on a `None` value\n"), "{told}");
        // A password that this process did not even send yet, as in a file that it reads.
        let text = "password: é";
        let cut = std::panic::catch_unwind(|| text[..11].to_owned()).expect_err("cut in a letter");
        let cut = cut.downcast_ref::<String>().expect("a text");
        assert!(cut.contains(text), "the library quotes it: {cut}");
        assert!(!said(cut).contains("password") && said(cut).contains("boundary"), "{}", said(cut));
        let cut =
            std::panic::catch_unwind(|| text[4..].to_owned() + &text[..99]).expect_err("too far");
        let cut = cut.downcast_ref::<String>().expect("a text");
        assert!(!said(cut).contains("password"), "{}", said(cut));
        let told = said(r#"called on an Err value: Weak("Sesame-1!")"#);
        assert!(told.contains(r#"Weak("[redacted]")"#) && !told.contains("Sesame"), "{told}");
        let told = message("a word", Some(Location::caller()), None, None);
        assert!(told.contains("has a bug: a word (src/cli/panic.rs:"), "{told}");
    }
}
