//! A YAML tree against the JSON Schema of what it should be: every misfit, with its place.
//!
//! The schema comes from the type itself, so this knows no key by name. Start with [`misfits`]. What a
//! schema cannot say is found later, when the text is read into the type.

use serde_json::Value as Schema;

use super::answers::nearest;
use super::flaw::Wrong;
use crate::yaml::{Node, Scalar, Span, Value};

/// Where a value of the wrong kind stands, and what should be there.
pub(super) fn misfits(schema: &Schema, root: &Node) -> Vec<Wrong> {
    let mut walk = Walk { root: schema, found: Vec::new() };
    walk.value(schema, root, "the file");
    walk.found
}

struct Walk<'s> {
    root: &'s Schema,
    found: Vec<Wrong>,
}

impl<'s> Walk<'s> {
    /// The schema itself, behind references and beside `null`; and whether `null` fits.
    fn resolved(&self, mut at: &'s Schema) -> (&'s Schema, bool) {
        let mut null_fits = false;
        loop {
            if let Some(reference) = at["$ref"].as_str() {
                at = self.root.pointer(reference.trim_start_matches('#')).unwrap_or(&Schema::Null);
                continue;
            }
            null_fits |= is_type(at, "null");
            let alternatives = at["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
            null_fits |= alternatives.iter().any(|it| is_type(it, "null"));
            match alternatives.iter().find(|it| !is_type(it, "null")) {
                Some(other) => at = other,
                None => return (at, null_fits),
            }
        }
    }

    fn value(&mut self, at: &'s Schema, node: &Node, key: &str) {
        let (at, null_fits) = self.resolved(at);
        if matches!(node.value, Value::Broken) || (null_fits && node.is_null()) {
            return;
        }
        let blank = node.scalar().is_some_and(|it| it.plain && it.text.is_empty());
        if blank || node.is_null() {
            let wrong = Wrong::new(node.span, format!("`{key}` has no value")).label("nothing");
            self.found.push(wrong.help("write a value, or leave the key out"));
        } else if is_type(at, "object") {
            self.map(at, node, key);
        } else if is_type(at, "array") {
            self.list(at, node, key);
        } else {
            self.single(at, node, key);
        }
    }

    fn map(&mut self, at: &'s Schema, node: &Node, key: &str) {
        let Some(entries) = node.entries() else {
            return self.misfit(node.span, (key, ""), "it is a map, as in `key: value`");
        };
        let properties = at["properties"].as_object();
        let known = || properties.into_iter().flat_map(|it| it.keys().map(String::as_str));
        for entry in entries {
            let (name, below) = (&*entry.key.text, &at["additionalProperties"]);
            if let Some(below) = properties.and_then(|it| it.get(name)) {
                self.value(below, &entry.value, name);
            } else if below.is_object() {
                self.value(below, &entry.value, name);
            } else {
                let wrong = Wrong::new(entry.key.span, format!("there is no `{name}` here"));
                let help = suggestion(name, &known().collect::<Vec<_>>(), "keys are");
                self.found.push(wrong.label("not a key").help(help));
            }
        }
        for name in at["required"].as_array().into_iter().flatten().filter_map(Schema::as_str) {
            if node.get(name).is_none() {
                let wrong = Wrong::new(node.span, format!("`{name}` is missing in `{key}`"));
                self.found.push(wrong.help(format!("add `{name}: …`")));
            }
        }
    }

    fn list(&mut self, at: &'s Schema, node: &Node, key: &str) {
        let range = at["prefixItems"].as_array();
        let Some(items) = node.items() else {
            let help = match range {
                Some(_) => "it is a range of seconds, such as [60, 120]",
                None => "it is a list, as in `[one, other]`",
            };
            let text = node.scalar().map_or("", |scalar| &scalar.text);
            return self.misfit(node.span, (key, text), help);
        };
        if let Some(parts) = range {
            if parts.len() != items.len() {
                let help = "it is a range of seconds, such as [60, 120]";
                return self.misfit(node.span, (key, ""), help);
            }
            for (part, item) in parts.iter().zip(items) {
                self.value(part, item, key);
            }
            return;
        }
        for item in items {
            self.value(&at["items"], item, key);
        }
    }

    fn single(&mut self, at: &'s Schema, node: &Node, key: &str) {
        let help = match node.scalar() {
            Some(scalar) => complaint(at, scalar),
            None => Some("it is a single value".to_owned()),
        };
        if let Some(help) = help {
            let text = node.scalar().map_or("", |scalar| &scalar.text);
            self.misfit(node.span, (key, text), &help);
        }
    }

    fn misfit(&mut self, span: Span, (key, text): (&str, &str), help: &str) {
        let what = match (key, text.chars().count()) {
            (_, 0) => format!("{} cannot be this", named(key)),
            (_, 1..=60) => format!("{} cannot be `{text}`", named(key)),
            _ => format!("{} cannot be a text so long", named(key)),
        };
        self.found.push(Wrong::new(span, what).label("does not fit").help(help));
    }
}

fn named(key: &str) -> String {
    if key == "the file" { key.to_owned() } else { format!("`{key}`") }
}

fn is_type(at: &Schema, wanted: &str) -> bool {
    let several = at["type"].as_array().map(Vec::as_slice).unwrap_or_default();
    at["type"] == wanted || several.iter().any(|it| it == wanted)
}

/// Why a scalar does not fit; `None`: it does.
fn complaint(at: &Schema, scalar: &Scalar) -> Option<String> {
    let (text, words) = (&*scalar.text, words(at));
    if !words.is_empty() {
        return (!words.contains(&text)).then(|| suggestion(text, &words, "it can be"));
    }
    if is_type(at, "boolean") {
        let fits = scalar.plain && matches!(text, "true" | "false");
        return (!fits).then(|| "write `true` or `false`".to_owned());
    }
    let whole = is_type(at, "integer");
    if !whole && !is_type(at, "number") {
        return None;
    }
    let number = text.parse::<f64>().ok().filter(|it| scalar.plain && it.is_finite());
    let (least, most) = (at["minimum"].as_f64(), at["maximum"].as_f64());
    let fits = number.is_some_and(|it| {
        (!whole || text.parse::<i128>().is_ok())
            && least.is_none_or(|least| it >= least)
            && most.is_none_or(|most| it <= most)
    });
    let kind = if whole { "whole number" } else { "number" };
    (!fits).then(|| match (least, most) {
        (Some(least), Some(most)) => format!("it is a {kind} from {least} to {most}"),
        (Some(least), None) => format!("it is a {kind} from {least} up"),
        (None, Some(most)) => format!("it is a {kind} up to {most}"),
        (None, None) => format!("it is a {kind}"),
    })
}

/// The words that a value is one of, if it is one of a few.
fn words(at: &Schema) -> Vec<&str> {
    let alternatives = at["oneOf"].as_array().into_iter().flatten();
    let listed = alternatives.clone().chain(std::iter::once(at));
    let several =
        listed.filter_map(|it| it["enum"].as_array()).flatten().filter_map(Schema::as_str);
    let single = alternatives.filter_map(|it| it["const"].as_str());
    single.chain(several).collect()
}

/// The nearest of the words, or all of them if they are few.
pub(super) fn suggestion(text: &str, words: &[&str], noun: &str) -> String {
    let flat = text.to_lowercase().replace('-', "_");
    let same = words.iter().find(|word| word.to_lowercase() == flat).copied();
    match same.or_else(|| nearest(text, words.iter().copied())) {
        Some(word) => format!("did you mean `{word}`?"),
        None if words.len() > 30 || words.is_empty() => {
            "docs/simulator.md has all of them".to_owned()
        }
        None => {
            let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("{noun} {}", quoted.join(", "))
        }
    }
}
