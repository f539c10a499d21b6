//! `refleet explain CODE`: a problem in full, with a bad and a mended example; or a code of the cloud,
//! with what is done about it and who can mend it.

use crate::playbook::{self, Explanation};

use super::super::app::App;
use super::super::args::ExplainArgs;
use super::super::codes;
use super::super::exit::Exit;
use super::super::failure::Failure;

/// Prints what is known about the code.
pub(in crate::cli) fn explain(app: &App, args: &ExplainArgs) -> Result<Exit, Failure> {
    if args.code == "errors" {
        app.ui.result(&codes::document())?;
        return Ok(Exit::Done);
    }
    let told = playbook::explain(&args.code).as_ref().map(text);
    let Some(told) = told.or_else(|| codes::explain(&args.code)) else {
        let known = playbook::codes().collect::<Vec<_>>().join("\n  ");
        let what = format!("there is no problem with the code `{}`", args.code);
        let help = format!(
            "`refleet explain errors` lists the codes of the cloud; those of playbooks are:\n  {known}"
        );
        return Err(Failure::refused(what, help));
    };
    app.ui.result(&told)?;
    Ok(Exit::Done)
}

fn text(explanation: &Explanation) -> String {
    let Explanation { code, nature: _, title, text, bad, mended, files } = explanation;
    let mut out = format!("{code}: {title}\n\n{}\n", text.trim_end());
    let [bad_file, mended_file] = files.map_or([None, None], |files| files.map(Some));
    for (heading, example, file) in [("Bad", bad, bad_file), ("Mended", mended, mended_file)] {
        if let Some(example) = example {
            out.push_str(&format!("\n{heading}:\n\n{}", indented(example)));
        }
        if let Some((name, content)) = file {
            out.push_str(&format!("\n{heading}, {name}:\n\n{}", indented(content)));
        }
    }
    out
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}\n")).collect()
}
