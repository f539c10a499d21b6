//! Why a cloud cannot be used, in words that say what to mend. Start with [`ConnectError`].

use std::fmt;

use super::super::proxy::without_login;
use crate::domain::Fault;

/// Most projects that a sentence lists.
const MOST_LISTED: usize = 12;

/// Why a cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// An address is no address.
    #[error("use {:?} as {setting}: it is not an http or https address", without_login(url))]
    Address {
        /// What is configured.
        url: String,
        /// Where.
        setting: &'static str,
    },
    /// The cloud does not accept who we say we are.
    #[error("log in at {host}: {}{note}", with_status(fault))]
    Unauthorised {
        /// IAM's host.
        host: String,
        /// What it says.
        fault: Box<Fault>,
        /// What else is worth knowing.
        note: &'static str,
    },
    /// The cloud does not answer, or not with what was asked for.
    #[error("{step} at {host}: {fault}")]
    Refused {
        /// What we were doing.
        step: &'static str,
        /// IAM's host.
        host: String,
        /// What it says.
        fault: Box<Fault>,
    },
    /// Nothing says which project is meant.
    #[error("choose a project: set project_name or project_id; {there}")]
    NoProject {
        /// What could be chosen.
        there: Visible,
    },
    /// A token for an account as a whole.
    #[error("use the token: it is not for a project, so no server can be seen with it; {there}")]
    NoProjectInToken {
        /// What it could have been fetched for.
        there: Visible,
    },
    /// A token for another project than the one that is configured.
    #[error("use the {what}: it is for project {project}, and {wanted:?} is configured")]
    OtherProject {
        /// What we log in with.
        what: &'static str,
        /// The token's.
        project: String,
        /// The configured one.
        wanted: String,
    },
    /// No such project.
    #[error(
        "find project {wanted:?}: {there}{}",
        .there.closest(wanted).map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
    )]
    UnknownProject {
        /// Name or id.
        wanted: String,
        /// What there is.
        there: Visible,
    },
    /// More than one project of a name.
    #[error("find project {wanted:?}: more than one has that name, so set project_id: {}", .ids.join(", "))]
    AmbiguousProject {
        /// The name.
        wanted: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// A project elsewhere.
    #[error(
        "use project {project:?} in region {region}: it is one of region {its}, so set \
         region_name: {its} or another project; {there}"
    )]
    OtherRegion {
        /// The project's name.
        project: String,
        /// Its region.
        its: String,
        /// The configured one.
        region: String,
        /// What there is.
        there: Visible,
    },
    /// Access keys, at a cloud that knows none.
    #[error("log in with access keys: this cloud takes a password or an application credential")]
    Keys,
    /// A catalog without servers of any kind that we know.
    #[error(
        "find the servers of this cloud: its catalog has no service of type compute or ecs; it has \
         {}",
        listed(services)
    )]
    NoServers {
        /// The types of the services that there are.
        services: Vec<String>,
    },
    /// A service that is not where it was looked for.
    #[error(
        "find the service {service} in region {region}, interface {interface}: the catalog has {}; \
         set region_name, interface or {setting}",
        listed(there)
    )]
    NoService {
        /// Its type.
        service: &'static str,
        /// Where it was looked for.
        region: String,
        /// By which interface.
        interface: String,
        /// Where the catalog has it.
        there: Vec<String>,
        /// What would say where it is.
        setting: &'static str,
    },
    /// Nothing says which of several regions is meant.
    #[error("choose a region: set region_name; the catalog has {}", listed(regions))]
    NoRegion {
        /// Those with servers.
        regions: Vec<String>,
    },
    /// A Nova with which the promises of a plan could not be kept.
    #[error("use Nova at {host}: {why}")]
    TooOld {
        /// Its host.
        host: String,
        /// What it lacks.
        why: String,
    },
    /// With keys, the user must be looked up or told.
    #[error(
        "learn whose access key it is ({fault}); set auth.user_id: reinstalls with a key pair name its owner"
    )]
    NoUser {
        /// What IAM says.
        fault: Box<Fault>,
    },
}

/// A fault of which the status is always told, and told once; notes follow without a full stop.
fn with_status(fault: &Fault) -> String {
    let status = if fault.code.starts_with("HTTP ") { "" } else { "HTTP 401: " };
    format!("{status}{fault}").trim_end_matches('.').to_owned()
}

fn listed(things: &[String]) -> String {
    if things.is_empty() { "none".to_owned() } else { things.join(", ") }
}

/// The projects that the user may use, as far as they could be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// Their names.
    These(Vec<String>),
    /// Who could not be let in could not ask.
    Unknown,
}

impl Visible {
    fn closest(&self, wanted: &str) -> Option<&str> {
        let Self::These(names) = self else { return None };
        names
            .iter()
            .map(|name| (strsim::damerau_levenshtein(wanted, name), name.as_str()))
            .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
            .min()
            .map(|(_, name)| name)
    }
}

/// `this user may use eu-de, eu-de_prod`.
impl fmt::Display for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("which there are could not be asked for"),
            Self::These(names) if names.is_empty() => f.write_str("this user may use none"),
            Self::These(names) => {
                let more = names.len().saturating_sub(MOST_LISTED);
                let shown = names[..names.len() - more].join(", ");
                write!(f, "this user may use {shown}")?;
                if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
        }
    }
}
