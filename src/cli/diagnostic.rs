//! How problems look: with the line of the playbook, a cause and a help. Start with [`render`].
//!
//! This is the only place that decides about their colours and their width.

use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::playbook::Problem;

/// The widest that a problem is drawn; wider lines are hard to read.
const WIDTH: usize = 100;

/// All problems, for people.
pub(super) fn render(problems: &[Problem]) -> String {
    let theme = if console::colors_enabled_stderr() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let mut text = String::new();
    for problem in problems {
        // Writing into a `String` cannot fail; a span outside of the text would only lose the snippet.
        if handler.render_report(&mut text, problem).is_err() {
            text.push_str(&format!("{}: {problem}\n", problem.code()));
        }
        text.push('\n');
    }
    text
}
