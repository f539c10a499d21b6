//! Filters of lists of servers (`ecs.md`, section 2).

use super::message::Incoming;
use crate::domain::{Server, ServerId, tag_matches};

/// Which servers of a list are wanted.
pub(super) struct Filter {
    name: Option<String>,
    status: Option<String>,
    flavor: Option<String>,
    image: Option<String>,
    ip: Option<String>,
    ip_eq: Option<String>,
    tags: Option<String>,
    not_tags: Option<String>,
    ids: Option<Vec<String>>,
    /// Made in a batch of Nova, or of another enterprise project: nothing here is.
    elsewhere: bool,
}

impl Filter {
    /// What a query asks for.
    pub(super) fn of(request: &Incoming) -> Self {
        let ids = request.query("server_id").or_else(|| request.query("id"));
        let enterprise = request.query("enterprise_project_id");
        let foreign = enterprise.is_some_and(|id| id != "0" && id != "all_granted_eps");
        let either = |one: &str, other: &str| request.query(one).or_else(|| request.query(other));
        Self {
            name: request.query("name"),
            status: request.query("status"),
            flavor: either("flavor", "flavor_name"),
            image: either("image", "image_id"),
            ip: request.query("ip"),
            ip_eq: request.query("ip_eq"),
            tags: request.query("tags"),
            not_tags: request.query("not-tags"),
            ids: ids.map(|ids| ids.split(',').map(str::to_owned).collect()),
            elsewhere: foreign || request.query("reservation_id").is_some(),
        }
    }

    /// Whether a server is wanted. Where ids are given, nothing else counts.
    pub(super) fn passes(&self, server: &Server) -> bool {
        if let Some(ids) = &self.ids {
            return ids.iter().any(|id| id == server.id.as_str());
        }
        let tagged = |wanted: &String| tag_matches(&server.tags, wanted);
        let ip = |wanted: &String| server.addresses.iter().any(|it| it.addr.contains(wanted));
        let exactly = |wanted: &String| server.addresses.iter().any(|it| it.addr == *wanted);
        !self.elsewhere
            && self.name.as_ref().is_none_or(|name| fuzzy(&server.name, name))
            && self.status.as_ref().is_none_or(|wanted| status(&server.status, wanted))
            && self.flavor.as_ref().is_none_or(|flavor| server.flavor == *flavor)
            && self.image.as_ref().is_none_or(|image| server.image.as_str() == image)
            && self.ip.as_ref().is_none_or(ip)
            && self.ip_eq.as_ref().is_none_or(exactly)
            && self.tags.as_ref().is_none_or(tagged)
            && !self.not_tags.as_ref().is_some_and(tagged)
    }

    /// Ids that were asked for and are not there.
    pub(super) fn unknown(&self, is_there: impl Fn(&ServerId) -> bool) -> Vec<String> {
        let ids = self.ids.iter().flatten();
        ids.filter(|id| !is_there(&ServerId::from(id.as_str()))).cloned().collect()
    }
}

/// Whether a status is found by asking for `wanted`: states on the way are found with those that
/// they lead from.
fn status(have: &str, wanted: &str) -> bool {
    let also: &[&str] = match wanted {
        "ACTIVE" => &["REBOOT", "HARD_REBOOT", "REBUILD", "MIGRATING", "RESIZE"],
        "SHUTOFF" => &["RESIZE", "REBUILD"],
        "ERROR" => &["REBUILD"],
        "VERIFY_RESIZE" => &["REVERT_RESIZE"],
        _ => &[],
    };
    have == wanted || also.contains(&have)
}

/// Whether `pattern` occurs in `name`; a dot stands for any character.
fn fuzzy(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) =
        (name.chars().collect(), pattern.chars().collect());
    if pattern.is_empty() {
        return true;
    }
    let same = |(have, want): (&char, &char)| want == &'.' || have == want;
    name.windows(pattern.len()).any(|window| window.iter().zip(&pattern).all(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_name_stands_for_any_letter() {
        let cases = [("web-01", "b-0", true), ("web-01", "w.b", true), ("web-01", "w.x", false)];
        for (name, pattern, found) in cases {
            assert_eq!(fuzzy(name, pattern), found, "{name} {pattern}");
        }
    }

    #[test]
    fn states_on_the_way_are_found_with_those_that_they_lead_from() {
        assert!(status("REBOOT", "ACTIVE") && status("REBUILD", "SHUTOFF"));
        assert!(!status("SHUTOFF", "ACTIVE") && !status("REBOOT", "SHUTOFF"));
    }
}
