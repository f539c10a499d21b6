//! `steps`: the five words, each once and in their order, and the playbook's own among them.

use crate::yaml::{Entry, Node, Span};

use super::fleets::begin;
use super::lower::Desk;
use super::problem::{Code, Problem};
use super::spec::{StepSpec, StepWord};
use super::treatment::{one_or_many, stop, text};
use super::{run, suggest};

/// What is written, or the five words.
pub(super) fn steps(desk: &mut Desk<'_>, node: Option<&Node>) -> Vec<StepSpec> {
    let Some(items) = node.and_then(Node::items) else { return default_steps() };
    let mut found: Vec<(StepSpec, Span)> = Vec::new();
    for item in items {
        if let Some((word, span)) = word(item) {
            found.push((step(desk, item, word, span), span));
        }
    }
    // Words that could not be read were told already; the order of the rest would only confuse.
    if found.len() == items.len() {
        order(desk, items, &found);
        references(desk, items, &found);
    }
    found.into_iter().map(|(step, _)| step).collect()
}

fn default_steps() -> Vec<StepSpec> {
    StepWord::ALL.into_iter().map(StepSpec::by_default).collect()
}

fn word(item: &Node) -> Option<(StepWord, Span)> {
    let of = |name: &str| StepWord::ALL.into_iter().find(|word| word.as_str() == name);
    if let Some(name) = text(item) {
        return Some((of(name)?, item.span));
    }
    let of = |name: &str| of(name).or((name == "run").then_some(StepWord::Run));
    let mut words =
        item.entries()?.iter().filter_map(|entry| Some((of(&entry.key.text)?, entry.key.span)));
    let only = words.next();
    if words.next().is_some() { None } else { only }
}

fn step(desk: &mut Desk<'_>, item: &Node, word: StepWord, span: Span) -> StepSpec {
    let after = item.get("after").map(one_or_many).unwrap_or_default();
    StepSpec {
        word,
        id: item.get("id").and_then(text).unwrap_or(word.as_str()).to_owned(),
        after: after
            .iter()
            .filter_map(|node| Some((text(node)?.to_owned(), desk.place(node.span))))
            .collect(),
        stop: item.get("stop").map(stop).unwrap_or_default(),
        run: run::run(desk, item, word),
        place: Some(desk.place(span)),
    }
}

fn order(desk: &mut Desk<'_>, items: &[Node], found: &[(StepSpec, Span)]) {
    let all = "the order is: stop, validate, reinstall, wait, verify";
    let mut complete = true;
    for word in StepWord::ALL {
        let spans: Vec<Span> =
            found.iter().filter(|(step, _)| step.word == word).map(|(_, span)| *span).collect();
        match spans.as_slice() {
            [_] => {}
            [] => {
                complete = false;
                let place = items.first().map(begin).unwrap_or_default();
                desk.report(
                    Problem::error(
                        Code::MissingStep,
                        format!("`steps` has no `{}`", word.as_str()),
                    )
                    .label(place, "the list begins here")
                    .help(format!("{}; {all}", why(word))),
                );
            }
            [first, again, ..] => {
                complete = false;
                desk.report(
                    Problem::error(
                        Code::RepeatedStep,
                        format!("`{}` stands twice in `steps`", word.as_str()),
                    )
                    .label(*again, "again")
                    .label(*first, "first here")
                    .help("each step is made once for each server"),
                );
            }
        }
    }
    let words: Vec<&(StepSpec, Span)> =
        found.iter().filter(|(step, _)| step.word != StepWord::Run).collect();
    let mut pairs = words.windows(2);
    let wrong = pairs.find_map(|pair| {
        if let [a, b] = pair { (a.0.word > b.0.word).then_some((*a, *b)) } else { None }
    });
    if complete && wrong.is_none() {
        last_look(desk, items, found);
    }
    if let (true, Some((before, after))) = (complete, wrong) {
        desk.report(
            Problem::error(
                Code::StepOrder,
                format!("`{}` stands before `{}`", before.0.word.as_str(), after.0.word.as_str()),
            )
            .label(after.1, "belongs before it")
            .label(before.1, "stands first")
            .help(format!("`validate` stands directly before `reinstall`, and {all}")),
        );
    }
}

/// `validate` stands directly before `reinstall`: no step of the playbook's own comes between, not by
/// its place in the list and not by `after`.
fn last_look(desk: &mut Desk<'_>, items: &[Node], found: &[(StepSpec, Span)]) {
    let at = |word| found.iter().position(|(step, _)| step.word == word).unwrap_or_default();
    let (validate, reinstall) = (at(StepWord::Validate), at(StepWord::Reinstall));
    let own = |step: &StepSpec| step.word == StepWord::Run;
    let mut between: Vec<Span> = found[validate..reinstall]
        .iter()
        .filter(|(step, _)| own(step))
        .map(|(_, span)| *span)
        .collect();
    let is_own = |id: &str| found.iter().any(|(step, _)| own(step) && step.id == id);
    for (item, (step, _)) in items.iter().zip(found) {
        let waits = |name: &str| match step.word {
            StepWord::Run => name == found[validate].0.id,
            StepWord::Reinstall => is_own(name),
            StepWord::Stop | StepWord::Validate | StepWord::Wait | StepWord::Verify => false,
        };
        let after = item.get("after").map(one_or_many).unwrap_or_default();
        between.extend(after.iter().filter(|node| text(node).is_some_and(waits)).map(|n| n.span));
    }
    for span in between {
        let message = "nothing may come between `validate` and `reinstall`";
        desk.report(
            Problem::error(Code::StepOrder, message)
                .label(span, "this would")
                .label(found[validate].1, "the last look at the server")
                .help("put it before `validate` or after `reinstall`: each server is compared with its plan directly before it is wiped"),
        );
    }
}

fn why(word: StepWord) -> &'static str {
    match word {
        StepWord::Stop => "only a stopped server can be reinstalled",
        StepWord::Validate => "each server is compared with its plan right before it is wiped",
        StepWord::Reinstall => "there is nothing to do without it",
        StepWord::Wait => "the job has to be watched to its end",
        StepWord::Verify => "a reinstall counts only when it was checked",
        StepWord::Run => "it is the playbook's own",
    }
}

fn references(desk: &mut Desk<'_>, items: &[Node], found: &[(StepSpec, Span)]) {
    let ids: Vec<&str> = found.iter().map(|(step, _)| step.id.as_str()).collect();
    for (index, (item, (step, span))) in items.iter().zip(found).enumerate() {
        let earlier = found.iter().take(index).find(|(had, _)| had.id == step.id);
        let twice = |word: StepWord| word == step.word && word != StepWord::Run;
        if let Some((_, first)) = earlier.filter(|(had, _)| !twice(had.word)) {
            let place = item.get("id").map_or(*span, |node| node.span);
            desk.report(
                Problem::error(Code::StepIdTaken, format!("two steps have the id `{}`", step.id))
                    .label(place, "again")
                    .label(*first, "first here")
                    .help("give one of them another `id`; a step without one has its word as id"),
            );
        }
        let after = item.entry("after").map(|entry: &Entry| one_or_many(&entry.value));
        for node in after.unwrap_or_default() {
            let Some(name) = text(node) else { continue };
            if !ids.contains(&name) {
                desk.report(
                    Problem::error(
                        Code::UnknownStep,
                        format!("there is no step {}", suggest::shown(name)),
                    )
                    .label(node.span, "no step of this fleet has this id")
                    .help(suggest::help(name, &ids, "steps")),
                );
            }
        }
    }
}
