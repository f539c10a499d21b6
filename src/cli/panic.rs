//! What is said when there is a mistake of ours. Start with [`install`].

use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use crate::domain::RunId;

/// The run that this process drives.
static RUN: OnceLock<RunId> = OnceLock::new();

/// From now on, a mistake of ours says that it is one, and how to go on.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|info| {
        drop(writeln!(std::io::stderr().lock(), "{}", message(info, RUN.get())));
    }));
}

/// Names the run that a mistake would interrupt.
pub(super) fn drives(run: &RunId) {
    // A process drives one run; a second call would name the same.
    drop(RUN.set(run.clone()));
}

fn message(info: &PanicHookInfo<'_>, run: Option<&RunId>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let what = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
    let go_on = run.map_or_else(String::new, |run| {
        format!("\nThe journal is whole. Go on with: refleet resume {run}")
    });
    format!(
        "refleet {} has a bug: {what}{}\nPlease report this line with what you did.{go_on}",
        env!("CARGO_PKG_VERSION"),
        place.unwrap_or_default(),
    )
}
