//! Fields as clouds really send them: numbers as text, text as numbers, nulls and gaps.
//!
//! Start with [`Text`]. Each type here reads any of these, and none of them fails: whoever needs a
//! value that is not there says so with a sentence of its own.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::Timestamp;

/// A scalar as text; null, a list or an object is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text(Option<String>);

impl Text {
    /// The text, unless it is not there or empty.
    pub(super) fn some(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
    }

    /// The text, or an empty one.
    pub(super) fn or_empty(self) -> String {
        self.0.unwrap_or_default()
    }

    pub(super) fn is_some(&self) -> bool {
        !self.as_str().is_empty()
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// The text as a whole number.
    pub(super) fn number(&self) -> Option<i64> {
        self.as_str().trim().parse().ok()
    }

    /// Whether it says yes: `true`, `True`, `1`.
    pub(super) fn is_yes(&self) -> bool {
        matches!(self.as_str(), "1") || self.as_str().eq_ignore_ascii_case("true")
    }

    /// The text as a moment, with or without a zone; without one it is UTC.
    pub(super) fn moment(&self) -> Option<Timestamp> {
        parse_moment(self.as_str())
    }
}

fn parse_moment(text: &str) -> Option<Timestamp> {
    let with_zone = text.parse::<jiff::Timestamp>().ok();
    let moment = with_zone.or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(Timestamp(moment.as_millisecond()))
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Text, E> {
        Ok(Text(Some(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_none<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        Text::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

/// A field that may be null: then it is as if it were not there.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A field that should be an object: a text in its place, as `"image": ""`, is as if it were not there.
pub(super) fn object_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Object(T),
        Other(IgnoredAny),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Object(object) => object,
        Either::Other(IgnoredAny) => T::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_from_whatever_a_cloud_sends() {
        let check = |json: &str, wanted: Option<&str>| {
            let text: Text = serde_json::from_str(json).expect("it is lenient");
            assert_eq!(text.some().as_deref(), wanted, "{json}");
        };
        check(r#""web-01""#, Some("web-01"));
        check("12", Some("12"));
        check("-1", Some("-1"));
        check("1.5", Some("1.5"));
        check("true", Some("true"));
        check("null", None);
        check(r#""""#, None);
        check("[1, [2]]", None);
        check(r#"{"a": {"b": 1}}"#, None);
    }

    #[test]
    fn a_moment_is_read_with_and_without_a_zone() {
        let check = |text: &str, wanted: Option<i64>| {
            let text = Text(Some(text.to_owned()));
            assert_eq!(text.moment().map(|moment| moment.0), wanted, "{text:?}");
        };
        check("2026-01-02T03:04:05Z", Some(1_767_323_045_000));
        check("2026-01-02T03:04:05.123Z", Some(1_767_323_045_123));
        check("2026-01-02T03:04:05.123456", Some(1_767_323_045_123));
        check("2026-01-02T03:04:05", Some(1_767_323_045_000));
        check("2026-01-02T04:04:05+01:00", Some(1_767_323_045_000));
        check("", None);
        check("soon", None);
    }
}
