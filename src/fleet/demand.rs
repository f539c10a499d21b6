//! What live servers have to be by the lines that name them: a list is a hint, and the server
//! decides (`safety.md`, S11).

use crate::domain::{Place, Server};

use super::{Refusal, Selector};

/// What a server has to be.
pub(super) struct Demand<'p> {
    /// The server, by its index in the directory.
    pub(super) index: usize,
    /// The line that has it.
    pub(super) listed: &'p Place,
    pub(super) wanted: Demanded<'p>,
}

/// What can be asked.
pub(super) enum Demanded<'p> {
    /// To match, and where that is written.
    Match(&'p Selector, &'p Place),
    /// To have this name: the line says it beside the id.
    Name(&'p str),
}

impl Demand<'_> {
    /// Why the server is not what it has to be; `None`: it is.
    pub(super) fn refusal(&self, server: &Server) -> Option<Refusal> {
        let help = "correct the list, or take the server out: whatever it was when the list was made, \
                    it would be wiped as it is now";
        let message = match &self.wanted {
            Demanded::Match(selector, _) if selector.agrees_with(server) => return None,
            Demanded::Name(name) if *name == server.name => return None,
            Demanded::Match(selector, place) => format!(
                "server {} ({}) does not match `{selector}` ({place}): it has {}",
                server.name,
                server.id,
                instead(selector, server)
            ),
            Demanded::Name(name) => {
                format!(
                    "server {} is named `{}`, and the line says `{name}`",
                    server.id, server.name
                )
            }
        };
        Some(Refusal::new("must_match", message, help).at(self.listed))
    }
}

/// What a server has of what a selector asks for.
fn instead(selector: &Selector, server: &Server) -> String {
    let tag = selector.tag().map(|tag| {
        let key = tag.split_once('=').map_or(tag, |(key, _)| key);
        let tags: Vec<String> =
            server.tags.values(key).map(|value| format!("{key}={value}")).collect();
        match tags.as_slice() {
            [] => format!("no tag {key}"),
            [only] => format!("the tag {only}"),
            several => format!("the tags {}", several.join(" and ")),
        }
    });
    let name = selector.name().map(|_| format!("the name {}", server.name));
    let az = selector.az().map(|_| format!("the zone {}", server.az));
    [tag, name, az].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
