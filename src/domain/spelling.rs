//! Texts that look the same and are spelt differently in Unicode: `ü` as one letter, or as `u` and a
//! combining mark. A list made on a Mac has the one, a cloud's console the other.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The text in the one spelling that names and tags are compared in (NFC).
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Whether two texts are the same, however they are spelt.
#[must_use]
pub fn is_same_text(one: &str, other: &str) -> bool {
    one == other || composed(one) == composed(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_and_its_parts_are_the_same_text() {
        assert!(is_same_text("b\u{fc}ro", "bu\u{308}ro"));
        assert!(!is_same_text("b\u{fc}ro", "buro"));
        assert_eq!(composed("web-01"), "web-01");
    }
}
