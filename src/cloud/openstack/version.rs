//! Which microversion is spoken with Nova, and what that leaves out.
//!
//! Start with [`Versions::read`]. Nova answers each request in the version that its header names,
//! so the highest that we know is asked for, once, and said with every request.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::super::keystone::{Base, Draft, Scope, read};
use super::super::lenient::Text;
use crate::domain::{Fault, Feature, Features};

/// A version of Nova's API: `2.96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microversion {
    /// Before the dot.
    pub major: u32,
    /// Behind it.
    pub minor: u32,
}

impl Microversion {
    /// The highest that we know what it says.
    const HIGHEST: Self = Self::two(96);
    /// Shows the tags of a server; its lock is shown since 2.9.
    const TAGS: Self = Self::two(26);
    /// Shows the events of an instance action to whom the server belongs.
    const EVENTS: Self = Self::two(51);
    /// A rebuild takes a key pair.
    const KEY_NAME: Self = Self::two(54);
    /// A rebuild takes user data.
    const USER_DATA: Self = Self::two(57);
    /// The list of instance actions has pages.
    const PAGES_OF_ACTIONS: Self = Self::two(58);
    /// A rebuild writes the volume anew that a server boots from.
    const SYSTEM_VOLUME: Self = Self::two(93);

    const fn two(minor: u32) -> Self {
        Self { major: 2, minor }
    }

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }

    /// Whether a list of instance actions can be asked for by the page.
    pub(super) fn pages_actions(self) -> bool {
        self >= Self::PAGES_OF_ACTIONS
    }

    /// The header that says it.
    pub(super) fn header(self) -> (&'static str, String) {
        ("OpenStack-API-Version", format!("compute {self}"))
    }
}

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a Nova offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    min: Microversion,
    max: Microversion,
}

#[derive(Deserialize)]
struct Document {
    version: VersionWire,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VersionWire {
    min_version: Text,
    version: Text,
}

impl Versions {
    /// `GET /v2.1/`.
    pub(super) fn request(compute: &Base) -> Draft {
        Draft::get(compute, "/v2.1/".to_owned(), &[]).scoped(Scope::Nobody)
    }

    /// What the version document says; a Nova without microversions names none.
    pub fn read(response: &Response<Bytes>) -> Result<Self, Fault> {
        let Document { version } = read(response)?;
        let or_oldest =
            |text: &Text| Microversion::parse(text.as_str()).unwrap_or(Microversion::two(0));
        Ok(Self { min: or_oldest(&version.min_version), max: or_oldest(&version.version) })
    }

    /// The version to speak, or why none will do.
    pub fn choose(self) -> Result<Microversion, String> {
        let Self { min, max } = self;
        if max < Microversion::two(1) {
            return Err("it has no API 2.1, the only one that is spoken".to_owned());
        }
        if max < Microversion::TAGS {
            return Err(format!(
                "it offers {max} at most, and tags and locks of servers need {}: what protects a \
                 server could not be seen",
                Microversion::TAGS
            ));
        }
        if max < Microversion::EVENTS {
            return Err(format!(
                "it offers {max} at most, and how a rebuild ended is shown since {}",
                Microversion::EVENTS
            ));
        }
        if min > Microversion::HIGHEST {
            return Err(format!(
                "it offers {min} at least, and {} is the highest that is spoken",
                Microversion::HIGHEST
            ));
        }
        Ok(max.min(Microversion::HIGHEST))
    }
}

impl Microversion {
    /// What can be done at this version of an API that goes up to no more.
    pub(super) fn features(self) -> Features {
        let old = [
            (Feature::KeyPair, "another key pair", Self::KEY_NAME),
            (Feature::UserData, "user data", Self::USER_DATA),
            (Feature::SystemVolume, "a server that boots from a volume", Self::SYSTEM_VOLUME),
        ];
        let old =
            old.into_iter().filter(|(_, _, since)| self < *since).map(|(feature, what, since)| {
                let why =
                    format!("this cloud's Nova offers {self} at most, and {what} needs {since}");
                (feature, why)
            });
        // Which of its volumes a server boots from is shown to administrators alone.
        let never = [
            (
                Feature::SystemVolume,
                "Nova does not tell its users which volume that is, so nobody could be shown what is wiped",
            ),
            (Feature::License, "Nova has no licences"),
            (Feature::Encryption, "Nova has no keys of its own for system disks"),
            (Feature::Backup, "Nova has no vaults for backups"),
            (Feature::FetchedPassword, "no password is fetched from Nova"),
        ];
        let never = never.into_iter().map(|(feature, why)| (feature, why.to_owned()));
        let mut lacks: BTreeMap<Feature, String> = never.collect();
        lacks.extend(old);
        Features {
            batch: 1,
            keeps_disk: true,
            reinstalls_running: true,
            names_image: true,
            keeps_login: true,
            immediate_log: true,
            stuck: Some(
                "if it stays in REBUILD or powering-off, an administrator of the cloud can free it: \
                 openstack server set --state error SERVER"
                    .to_owned(),
            ),
            lacks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(min: &str, max: &str) -> Versions {
        let body = format!(r#"{{"version": {{"min_version": "{min}", "version": "{max}"}}}}"#);
        let response = Response::builder().body(body.into()).expect("a response");
        Versions::read(&response).expect("a version document")
    }

    #[test]
    fn the_highest_version_that_both_know_is_spoken() {
        let spoken = |max: &str| versions("2.1", max).choose().map(|version| version.to_string());
        assert_eq!(spoken("2.104").as_deref(), Ok("2.96"));
        assert_eq!(spoken("2.96").as_deref(), Ok("2.96"));
        assert_eq!(spoken("2.60").as_deref(), Ok("2.60"));
        assert_eq!(spoken("2.51").as_deref(), Ok("2.51"));
        for blind in ["2.26", "2.50"] {
            let refused = spoken(blind).expect_err("nobody could see the end");
            assert!(refused.ends_with("how a rebuild ended is shown since 2.51"), "{refused}");
        }
        let refused = spoken("2.9").expect_err("nobody could be protected");
        assert!(refused.starts_with("it offers 2.9 at most, and tags and locks"), "{refused}");
        assert!(spoken("2.25").is_err());
        for none in ["", "2.0"] {
            let refused = spoken(none).expect_err("too old");
            assert!(refused.contains("no API 2.1"), "{refused}");
        }
        let new = versions("2.97", "2.120").choose().expect_err("too new");
        assert!(new.contains("2.97 at least"), "{new}");
    }

    #[test]
    fn what_an_old_nova_lacks_is_told_with_what_it_would_need() {
        let lacks = |minor: u32| Microversion::two(minor).features();
        let old = [Feature::KeyPair, Feature::UserData, Feature::SystemVolume];
        let check = |minor, wanted: [bool; 3]| {
            assert_eq!(old.map(|feature| lacks(minor).lack(feature).is_some()), wanted, "{minor}");
        };
        check(53, [true, true, true]);
        check(54, [false, true, true]);
        check(57, [false, false, true]);
        check(92, [false, false, true]);
        check(93, [false, false, true]);
        let unseen = lacks(96).lack(Feature::SystemVolume).map(str::to_owned).unwrap_or_default();
        assert!(unseen.contains("what is wiped"), "{unseen}");
        assert_eq!(
            lacks(53).lack(Feature::UserData),
            Some("this cloud's Nova offers 2.53 at most, and user data needs 2.57")
        );
        for never in
            [Feature::License, Feature::Encryption, Feature::Backup, Feature::FetchedPassword]
        {
            assert!(lacks(96).lack(never).is_some(), "{never:?}");
        }
        assert_eq!(lacks(96).lack(Feature::AdminPass), None);
    }
}
