//! A single value against its shape, and what there is to say if it does not fit.

use super::problem::Code;
use super::scalars;
use super::shape::Shape;
use super::suggest::{self, shown};
use crate::yaml::Scalar;

/// Why a value does not fit; the place is added by whoever knows it.
pub(super) struct Complaint {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: String,
}

/// What is wrong with `scalar` as the value of `key`; `None`: nothing.
pub(super) fn complaint(shape: Shape, key: &str, scalar: &Scalar) -> Option<Complaint> {
    let text = &*scalar.text;
    match shape {
        Shape::Flag => scalars::flag(text).is_none().then(|| flag(key, text)),
        Shape::Duration => scalars::duration(text).is_none().then(|| Complaint {
            code: Code::BadDuration,
            message: format!("{} is not a duration", shown(text)),
            label: "not a duration",
            help: "a whole number and one unit, without a space: 450ms, 30s, 5m, 2h".to_owned(),
        }),
        Shape::Rate => scalars::rate(text).is_none().then(|| Complaint {
            code: Code::BadRate,
            message: format!("{} is not a rate", shown(text)),
            label: "not a rate",
            help: "a whole number above 0 for each second or minute: 10/s, 300/m".to_owned(),
        }),
        Shape::Share => scalars::share(text).is_none().then(|| Complaint {
            code: Code::BadShare,
            message: format!("{} is not a share", shown(text)),
            label: "not a share",
            help: "a whole number from 0 to 100 and a percent sign: 80%".to_owned(),
        }),
        Shape::Size => scalars::size(text).is_none().then(|| size(key, text)),
        Shape::Whole(low, high) => whole(key, text, (low, high)),
        Shape::Above(low) => {
            scalars::number(text).is_none_or(|number| number <= low).then(|| Complaint {
                code: Code::BadNumber,
                message: format!("`{key}` cannot be {}", shown(text)),
                label: "not such a number",
                help: format!("a decimal number above {low}, such as 2 or 1.5"),
            })
        }
        // Whatever stands here may be the password itself, so it is not repeated.
        Shape::EnvName => (!scalars::is_env_name(text)).then(|| Complaint {
            code: Code::InlineSecret,
            message: "what stands behind `env` is not the name of an environment variable"
                .to_owned(),
            label: "not shown, since it may be the password itself",
            help: "names are letters, digits and `_`: `admin_pass: { env: ADMIN_PASS }`".to_owned(),
        }),
        Shape::Tag => bad_tag(text).map(|help| Complaint {
            code: Code::BadTag,
            message: format!("{} is not a tag", shown(text)),
            label: "not key=value",
            help,
        }),
        Shape::Id if text.contains(char::is_whitespace) => Some(Complaint {
            code: Code::BadName,
            message: format!("`{key}` cannot be {}", shown(text)),
            label: "a space in it",
            help: "ids and names of the cloud have no spaces".to_owned(),
        }),
        Shape::Text | Shape::Template | Shape::Id => {
            (scalar.plain && scalars::flag(text).is_some()).then(|| Complaint {
                code: Code::WrongType,
                message: format!("`{key}` is a text, and {} is a switch", shown(text)),
                label: "not a text",
                help: "quote it if it is meant as a text".to_owned(),
            })
        }
        Shape::Word(words) => (!words.contains(&text)).then(|| word(key, text, words)),
        Shape::Plain
        | Shape::Map(_)
        | Shape::WordOr(..)
        | Shape::TextOr(_)
        | Shape::Named(_)
        | Shape::List(_)
        | Shape::Some(_)
        | Shape::SomeOr(..)
        | Shape::OneOrMany(_) => None,
    }
}

/// A word that is none of `words`.
pub(super) fn word(key: &str, text: &str, words: &[&str]) -> Complaint {
    Complaint {
        code: Code::UnknownWord,
        message: format!("`{key}` cannot be {}", shown(text)),
        label: "not a word of it",
        help: suggest::help(text, words, "it can be"),
    }
}

fn flag(key: &str, text: &str) -> Complaint {
    let help = match text.to_lowercase().as_str() {
        "yes" | "on" | "1" => "write `true`; other words for it are text in this language",
        "no" | "off" | "0" => "write `false`; other words for it are text in this language",
        _ => "write `true` or `false`",
    };
    Complaint {
        code: Code::NotAFlag,
        message: format!("`{key}` is true or false, not {}", shown(text)),
        label: "neither",
        help: help.to_owned(),
    }
}

fn size(key: &str, text: &str) -> Complaint {
    let share = text.ends_with('%');
    let nothing = text.trim_end_matches('%').bytes().all(|byte| byte == b'0');
    Complaint {
        code: if share { Code::BadShare } else { Code::BadNumber },
        message: format!("`{key}` cannot be {}", shown(text)),
        label: if nothing { "no server would ever start" } else { "not a number of servers" },
        help: "a whole number from 1, or a share from 1% to 100%".to_owned(),
    }
}

fn whole(key: &str, text: &str, (low, high): (u64, u64)) -> Option<Complaint> {
    let number = scalars::whole(text);
    if number.is_some_and(|number| (low..=high).contains(&number)) {
        return None;
    }
    if key == "version" {
        return Some(Complaint {
            code: Code::Version,
            message: format!("version {} of the playbook language is not known", shown(text)),
            label: "not known here",
            help: "this refleet reads version 1".to_owned(),
        });
    }
    let (message, help) = match number {
        Some(_) if high >= u64::from(u32::MAX) => {
            (format!("`{key}` cannot be {}", shown(text)), format!("a whole number from {low}"))
        }
        Some(_) => (
            format!("`{key}` cannot be {}", shown(text)),
            format!("a whole number from {low} to {high}"),
        ),
        None => (
            format!("`{key}` is a whole number, not {}", shown(text)),
            "digits and nothing else, such as 12".to_owned(),
        ),
    };
    Some(Complaint { code: Code::BadNumber, message, label: "not such a number", help })
}

/// Why a text is not a tag, as advice.
fn bad_tag(text: &str) -> Option<String> {
    if let Some((key, value)) = text.split_once('=') {
        let (key, value) = (key.trim(), value.trim());
        let tight = format!("{key}={value}");
        if key.is_empty() || value.is_empty() {
            return Some("key=value; the key alone matches any value".to_owned());
        }
        return (tight != text).then(|| format!("without spaces around it: `{tight}`"));
    }
    if let Some((key, value)) = text.split_once(':') {
        return Some(format!("did you mean `{}={}`?", key.trim(), value.trim()));
    }
    text.contains(char::is_whitespace).then(|| "key=value, without spaces in the key".to_owned())
}

/// What a shape asks for, in words.
pub(super) fn wanted(shape: Shape) -> &'static str {
    match shape {
        Shape::Whole(..) | Shape::Above(_) => "a number",
        Shape::Flag => "true or false",
        Shape::Duration => "a duration such as 5m",
        Shape::Rate => "a rate such as 10/s",
        Shape::Share => "a share such as 80%",
        Shape::Size => "a number or a share such as 25%",
        Shape::Word(_) => "one word",
        Shape::Tag => "a tag such as role=web",
        Shape::EnvName => "the name of an environment variable",
        Shape::Plain => "a single value",
        Shape::Text
        | Shape::Template
        | Shape::Id
        | Shape::Map(_)
        | Shape::WordOr(..)
        | Shape::TextOr(_)
        | Shape::Named(_)
        | Shape::List(_)
        | Shape::Some(_)
        | Shape::SomeOr(..)
        | Shape::OneOrMany(_) => "a text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(shape: Shape, text: &str) -> Option<String> {
        let scalar = Scalar { text: text.into(), plain: true };
        complaint(shape, "key", &scalar).map(|complaint| complaint.help)
    }

    #[test]
    fn advice_about_tags_says_what_was_meant() {
        for (text, want) in [
            ("role=web", None),
            ("role", None),
            ("role=a b", None),
            ("role:web", Some("did you mean `role=web`?")),
            ("role = web", Some("without spaces around it: `role=web`")),
            ("=web", Some("key=value; the key alone matches any value")),
            ("a role", Some("key=value, without spaces in the key")),
        ] {
            assert_eq!(help(Shape::Tag, text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_quoted_word_may_look_like_a_switch() {
        let quoted = Scalar { text: "true".into(), plain: false };
        assert!(complaint(Shape::Text, "name", &quoted).is_none());
        assert_eq!(help(Shape::Text, "true").unwrap(), "quote it if it is meant as a text");
    }

    #[test]
    fn a_switch_is_not_a_yes() {
        assert_eq!(help(Shape::Flag, "true"), None);
        assert!(help(Shape::Flag, "Yes").unwrap().contains("write `true`"));
        assert!(help(Shape::Flag, "off").unwrap().contains("write `false`"));
    }
}
