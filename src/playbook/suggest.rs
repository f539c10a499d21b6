//! "Did you mean": the closest of the words that would have been right.

/// The closest candidate, if one is close enough to be meant.
pub(super) fn closest<'a>(got: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (got.chars().count() / 3).max(1);
    let flat = |text: &str| text.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&flat(got), &flat(word)), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `did you mean …?`, or else the words that there are.
pub(super) fn help(got: &str, known: &[&str], noun: &str) -> String {
    match closest(got, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("{noun}: {}", list(known)),
    }
}

/// `a`, `b` and `c`.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A text from a file, short enough for a sentence.
pub(super) fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 40 && line.len() == text.len() {
        return format!("`{line}`");
    }
    format!("`{}…`", line.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_close_is_suggested() {
        let known = ["key_name", "key_owner", "leave"];
        for (got, want) in [
            ("key_nam", Some("key_name")),
            ("key-name", Some("key_name")),
            ("Leave", Some("leave")),
            ("levae", Some("leave")),
            ("password", None),
            ("x", None),
        ] {
            assert_eq!(closest(got, known), want, "{got}");
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(shown("web"), "`web`");
        assert_eq!(shown(&"x".repeat(50)), format!("`{}…`", "x".repeat(40)));
        assert_eq!(shown("one\ntwo"), "`one…`");
    }
}
