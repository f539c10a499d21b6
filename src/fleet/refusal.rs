//! What the operator has to mend before anything happens.

use std::fmt;

use crate::domain::Place;

/// The most refusals of one kind that are shown one by one; the rest is one line with its number,
/// so that an inventory of the wrong project does not print a hundred thousand lines.
const SHOWN: usize = 20;

/// The most that come with a "did you mean".
const SUGGESTED: usize = 5;

/// A reason to refuse, found before anything is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Names the rule; the same for every refusal of its kind.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The line that asks for it, where one does.
    pub place: Option<Place>,
    /// What can be done about it.
    pub help: String,
}

impl Refusal {
    /// A refusal that no single line asks for.
    pub fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None, help: help.into() }
    }

    /// The same, with the line that asks for it.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Adds `found` to `refusals`; of a long list the first ones, and how many more there are.
    pub(super) fn add_some(refusals: &mut Vec<Self>, mut found: Vec<Self>) {
        let more = found.len().saturating_sub(SHOWN);
        found.truncate(SHOWN);
        let last = found.last().cloned();
        refusals.append(&mut found);
        if let Some(last) = last.filter(|_| more > 0) {
            refusals.push(Self { message: format!("… and {more} more of this kind"), ..last });
        }
    }

    /// Whether one more of this list is worth a suggestion: each one looks at every name there is.
    pub(super) fn is_worth_a_suggestion(found: &[Self]) -> bool {
        found.len() < SUGGESTED
    }
}

/// `web.yaml:7: no server has the name web-o1`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Refusal {}

/// The known word that `got` was probably meant to be: near enough, and the nearest.
pub fn did_you_mean<'a>(got: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = got.chars().count();
    let limit = (length / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|word| word.len().abs_diff(got.len()) <= 4 * limit)
        .map(|word| (strsim::damerau_levenshtein(got, word), word))
        .filter(|(distance, _)| (1..=limit).contains(distance))
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["web-01", "web-02", "database-primary", "x"];
        let check = |got, expected| assert_eq!(did_you_mean(got, known), expected, "{got}");
        check("web-o1", Some("web-01"));
        check("wbe-02", Some("web-02"));
        check("database-primray", Some("database-primary"));
        check("cache-01", None);
        check("y", Some("x"));
        check("web-01", Some("web-02"));
    }

    #[test]
    fn a_long_list_of_refusals_ends_in_a_number() {
        let found = (0..25).map(|n| Refusal::new("unknown_server", format!("{n}"), "")).collect();
        let mut refusals = Vec::new();
        Refusal::add_some(&mut refusals, found);
        assert_eq!(refusals.len(), 21);
        assert_eq!(refusals[20].message, "… and 5 more of this kind");
    }
}
