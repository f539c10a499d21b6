//! `refleet explain CODE`: a problem in full, with a bad and a mended example; or a code of the cloud,
//! with what is done about it and who can mend it. What is said of a server is in `explain_server`.

use crate::domain::CloudCode;
use crate::playbook::{self, Explanation};

use super::super::app::App;
use super::super::args::{ExplainArgs, Format};
use super::super::codes;
use super::super::exit::Exit;
use super::super::failure::Failure;

/// Prints what is known about the code.
pub(in crate::cli) async fn explain(app: &App, args: &ExplainArgs) -> Result<Exit, Failure> {
    if args.playbook.is_some() || args.run.is_some() {
        return super::explain_server::server(app, args).await;
    }
    let told = match args.format {
        Format::Text if args.word == "errors" => Some(codes::document()),
        Format::Text => {
            let problem = playbook::explain(&args.word).as_ref().map(text);
            problem.or_else(|| codes::explain(&args.word))
        }
        Format::Json => json(&args.word)?,
    };
    let told = told.ok_or_else(|| unknown(&args.word))?;
    match args.format {
        Format::Text => app.ui.result(&told)?,
        Format::Json => app.ui.data(&told)?,
    }
    Ok(Exit::Done)
}

fn unknown(word: &str) -> Failure {
    let mut help = vec![
        "a server is explained with --playbook FILE or --run RUN; `refleet explain errors` lists \
         the codes of the cloud; those of playbooks are:"
            .to_owned(),
    ];
    help.extend(playbook::codes().map(|code| format!("  {code}")));
    Failure::refused_lines(&[format!("there is no problem with the code `{word}`")], &help)
}

/// The same for programs.
fn json(word: &str) -> Result<Option<String>, Failure> {
    let value = if word == "errors" {
        Some(CloudCode::all().map(codes::view).collect::<serde_json::Value>())
    } else if let Some(problem) = playbook::explain(word) {
        let Explanation { code, nature: _, title, text, bad, mended, files: _ } = problem;
        let view = serde_json::json!({
            "code": code, "title": title, "text": text, "bad": bad, "mended": mended,
        });
        Some(view)
    } else {
        CloudCode::of(word).map(codes::view)
    };
    Ok(value.map(|value| serde_json::to_string_pretty(&value)).transpose()?)
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
