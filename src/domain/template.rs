//! Texts that differ from server to server: `{{ host.name }}` and its kin. Values, and nothing else.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, AddressKind, ServerId, Tags};

/// A text with inserts that are filled in for each server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Template(String);

/// What is known of a server when its templates are filled in.
#[derive(Clone, Copy, Debug)]
pub struct HostFacts<'a> {
    /// Its id.
    pub id: &'a ServerId,
    /// Its name.
    pub name: &'a str,
    /// Its availability zone.
    pub az: &'a str,
    /// Its addresses, sorted.
    pub addresses: &'a [Address],
    /// Its tags.
    pub tags: &'a Tags,
}

/// What can be inserted of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostValue<'t> {
    /// `host.id`.
    Id,
    /// `host.name`.
    Name,
    /// `host.az`.
    Az,
    /// `host.ip`: its first fixed IPv4 address.
    Ip,
    /// `host.tag.KEY`: the one value of that tag.
    Tag(&'t str),
}

/// A value that a template wants and a server does not have, or has more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingValue {
    /// The name in the template.
    name: String,
    /// The server has several values of that name, and none of them is the right one.
    several: bool,
}

impl MissingValue {
    /// A value that is not there at all.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), several: false }
    }

    /// Why the server has no value of that name.
    #[must_use]
    pub fn of(name: &str, host: &HostFacts<'_>) -> Self {
        let several = match HostValue::named(name) {
            Some(HostValue::Tag(key)) => host.tags.has_key(key) && host.tags.only(key).is_none(),
            Some(HostValue::Id | HostValue::Name | HostValue::Az | HostValue::Ip) | None => false,
        };
        Self { name: name.to_owned(), several }
    }

    /// Whether the server has several values of that name.
    #[must_use]
    pub fn is_several(&self) -> bool {
        self.several
    }
}

impl fmt::Display for MissingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.several { "has several values of" } else { "has no" };
        write!(f, "it {how} `{}`", self.name)
    }
}

impl<'t> HostValue<'t> {
    /// What can be inserted, as it is written.
    pub const NAMES: [&'static str; 5] =
        ["host.id", "host.name", "host.az", "host.ip", "host.tag.KEY"];

    /// What a name stands for; `None`: there is no such value.
    #[must_use]
    pub fn named(name: &'t str) -> Option<Self> {
        match name {
            "host.id" => Some(Self::Id),
            "host.name" => Some(Self::Name),
            "host.az" => Some(Self::Az),
            "host.ip" => Some(Self::Ip),
            _ => name.strip_prefix("host.tag.").filter(|key| !key.is_empty()).map(Self::Tag),
        }
    }

    /// The value that a server has.
    #[must_use]
    pub fn of<'h>(self, host: &HostFacts<'h>) -> Option<&'h str> {
        match self {
            Self::Id => Some(host.id.as_str()),
            Self::Name => Some(host.name),
            Self::Az => Some(host.az),
            Self::Ip => host.ip(),
            Self::Tag(key) => host.tags.only(key),
        }
    }
}

impl<'a> HostFacts<'a> {
    /// The first fixed IPv4 address: the one that the server itself has.
    #[must_use]
    pub fn ip(&self) -> Option<&'a str> {
        let is_v4 = |text: &str| text.parse::<core::net::Ipv4Addr>().is_ok();
        let mut fixed = self.addresses.iter().filter(|at| at.kind == AddressKind::Fixed);
        fixed.find(|at| is_v4(&at.addr)).map(|at| at.addr.as_str())
    }
}

impl Template {
    /// Takes the text as it is; whether its inserts can be filled in is asked with
    /// [`Template::fill`].
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names in it, in the order in which they stand there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let insert = Insert::first(rest)?;
            rest = &rest[insert.end()..];
            insert.name
        })
    }

    /// The text for one server.
    ///
    /// # Errors
    ///
    /// If the server has no such value, or nothing has: never a text with a hole.
    pub fn fill(&self, host: &HostFacts<'_>) -> Result<String, MissingValue> {
        let filled = self.fill_with(|name| HostValue::named(name)?.of(host));
        filled.map_err(|missing| MissingValue::of(&missing.name, host))
    }

    /// The text with values that are known by their names.
    ///
    /// # Errors
    ///
    /// If a name has no value: never a text with a hole.
    pub fn fill_with<'v>(
        &self,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<String, MissingValue> {
        let mut out = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some(insert) = Insert::first(rest) {
            let Some(name) = insert.name else { break };
            out.push_str(&rest[..insert.at]);
            out.push_str(value(name).ok_or_else(|| MissingValue::new(name))?);
            rest = &rest[insert.end()..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// An insert as it stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insert<'t> {
    /// Where it begins, in bytes.
    pub at: usize,
    /// From `{{` to `}}`; `{{` alone where it is never closed.
    pub text: &'t str,
    /// The name in it; `None`: it is never closed.
    pub name: Option<&'t str>,
}

impl<'t> Insert<'t> {
    /// The first of a text.
    #[must_use]
    pub fn first(text: &'t str) -> Option<Self> {
        let at = text.find("{{")?;
        let inner = &text[at + 2..];
        Some(match inner.find("}}") {
            Some(length) => {
                Self { at, text: &text[at..at + length + 4], name: Some(inner[..length].trim()) }
            }
            None => Self { at, text: &text[at..at + 2], name: None },
        })
    }

    /// Where it ends, in bytes.
    #[must_use]
    pub fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn filled(text: &str) -> Result<String, MissingValue> {
        let address = |addr: &str, kind| Address {
            addr: addr.to_owned(),
            mac: String::new(),
            port: String::new(),
            kind,
        };
        let addresses = [
            address("10.0.0.9", AddressKind::Floating),
            address("2001:db8::1", AddressKind::Fixed),
            address("192.168.0.4", AddressKind::Fixed),
            address("192.168.0.5", AddressKind::Fixed),
        ];
        let tags = Tags::from([("role", "web"), ("pool", "blue"), ("pool", "green")]);
        let id = ServerId::new("i-1");
        let host =
            HostFacts { id: &id, name: "web-1", az: "eu-01", addresses: &addresses, tags: &tags };
        Template::new(text).fill(&host)
    }

    #[test]
    fn values_of_a_server_are_filled_in_and_nothing_else_is_read() {
        for (text, want) in [
            ("", ""),
            ("no insert", "no insert"),
            ("{{ host.name }}", "web-1"),
            ("http://{{host.ip}}:80/{{ host.tag.role }}", "http://192.168.0.4:80/web"),
            ("{{ host.id }}{{ host.az }}", "i-1eu-01"),
            ("{{ host.name", "{{ host.name"),
            ("}} {{ host.az }}", "}} eu-01"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn values_are_known_by_their_names() {
        let values = BTreeMap::from([("vars.n", "3"), ("host.name", "{{ vars.n }}")]);
        let filled = |text: &str| Template::new(text).fill_with(|name| values.get(name).copied());
        assert_eq!(filled("a {{vars.n}} b").as_deref(), Ok("a 3 b"));
        assert_eq!(filled("{{ host.name }}").as_deref(), Ok("{{ vars.n }}"), "read once");
        assert_eq!(filled("{{ n }}"), Err(MissingValue::new("n")));
    }

    #[test]
    fn a_value_that_is_not_there_is_never_a_hole() {
        for (text, name) in [
            ("{{ host.tag.site }}", "host.tag.site"),
            ("a {{ host.tag. }}", "host.tag."),
            ("{{ host.adress }}", "host.adress"),
            ("{{ role }}", "role"),
        ] {
            assert_eq!(filled(text), Err(MissingValue::new(name)), "{text}");
        }
    }

    #[test]
    fn a_tag_with_two_values_is_not_one_of_them_by_chance() {
        let missing = filled("{{ host.tag.pool }}").expect_err("two values");
        assert_eq!(missing.to_string(), "it has several values of `host.tag.pool`");
    }
}
