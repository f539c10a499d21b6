//! One entry of `hosts`, `exclude` or `protected`: conditions that must all hold.

use std::fmt;

use crate::domain::{Server, ServerId, tag_matches};

use super::{Pattern, PatternError};

/// Conditions on a server; all of them must hold. There is always at least one.
#[derive(Clone, Debug)]
pub struct Selector {
    id: Option<ServerId>,
    name: Option<Pattern>,
    tag: Option<String>,
    az: Option<String>,
}

/// Why a selector could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SelectorError {
    /// No condition at all: it would mean "all".
    #[error("a selector without a condition selects nothing")]
    Empty,
    /// The pattern of the name is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Selector {
    /// A selector of these conditions.
    pub fn try_new(
        id: Option<&str>,
        name: Option<&str>,
        tag: Option<&str>,
        az: Option<&str>,
    ) -> Result<Self, SelectorError> {
        if id.is_none() && name.is_none() && tag.is_none() && az.is_none() {
            return Err(SelectorError::Empty);
        }
        Ok(Self {
            id: id.map(ServerId::from),
            name: name.map(Pattern::try_new).transpose()?,
            tag: tag.map(str::to_owned),
            az: az.map(str::to_owned),
        })
    }

    /// Whether every server that the other one matches is surely matched by this one: it asks for
    /// nothing that the other one does not.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        fn asks_no_more<T: PartialEq + ?Sized>(own: Option<&T>, theirs: Option<&T>) -> bool {
            own.is_none() || own == theirs
        }
        asks_no_more(self.id.as_ref(), other.id.as_ref())
            && asks_no_more(self.name(), other.name())
            && asks_no_more(self.tag.as_ref(), other.tag.as_ref())
            && asks_no_more(self.az.as_ref(), other.az.as_ref())
    }

    /// Whether all conditions hold for this server.
    #[must_use]
    pub fn matches(&self, server: &Server) -> bool {
        self.id.as_ref().is_none_or(|id| *id == server.id)
            && self.name.as_ref().is_none_or(|pattern| pattern.matches(&server.name))
            && self.tag.as_ref().is_none_or(|tag| tag_matches(&server.tags, tag))
            && self.az.as_ref().is_none_or(|az| *az == server.az)
    }

    /// Whether all conditions hold and nothing speaks against them: no tag gives the key that is
    /// asked for another value.
    #[must_use]
    pub fn agrees_with(&self, server: &Server) -> bool {
        self.matches(server) && self.tag.as_ref().is_none_or(|tag| server.tags.agree_on(tag))
    }

    /// The id condition, if there is one: such a selector means that one server.
    #[must_use]
    pub fn id(&self) -> Option<&ServerId> {
        self.id.as_ref()
    }

    /// The pattern of the name condition, as written.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Pattern::as_str)
    }

    /// The one name that the name condition means, if it is no pattern at all.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.name.as_ref().and_then(Pattern::literal)
    }

    /// The tag condition, as written: `key=value` or `key`.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The availability zone condition.
    #[must_use]
    pub fn az(&self) -> Option<&str> {
        self.az.as_deref()
    }
}

/// As it is written in a playbook: `name: web-*, az: eu-de-01`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [
            self.id.as_ref().map(|id| format!("id: {id}")),
            self.name().map(|name| format!("name: {name}")),
            self.tag().map(|tag| format!("tag: {tag}")),
            self.az().map(|az| format!("az: {az}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(&parts.join(", "))
    }
}
