//! A run as one page for a browser: self-contained, without a script, and without a word to any
//! network. Start with [`html`].
//!
//! Names come from the cloud and sentences may quote it. Whatever is put into the page passes the door
//! for text from outside and is escaped, and the page forbids scripts to the browser on top.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, escape_formatter};

use crate::domain::{Record, printable, shown};

use super::Error;
use super::page::Page;

/// Its ending is what makes the engine escape.
const NAME: &str = "report.html";

/// The run that these are the records of, as HTML.
pub fn html(records: &[Record]) -> Result<String, Error> {
    let mut templates = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    templates.set_syntax(syntax);
    templates.set_formatter(|out, state, value| match value.as_str() {
        Some(text) => escape_formatter(out, state, &Value::from(&*shown(text))),
        None => escape_formatter(out, state, value),
    });
    templates.add_template(NAME, include_str!("report.html"))?;
    let mut page = templates.get_template(NAME)?.render(Value::from(Serde(Page::of(records))))?;
    page.push('\n');
    Ok(printable(&page).into_owned())
}
