//! What this machine knows of itself, without a word to any network. Start with [`read`].

use std::net::IpAddr;
use std::path::Path;

use crate::plan::{CheckedPlan, Machine};

use super::failure::Failure;
use super::files;

/// Where the ids of a cloud's server are found inside it. The first can be read by root only.
const ID_FILES: &[&str] = &["/sys/class/dmi/id/product_uuid", "/var/lib/cloud/data/instance-id"];

/// Reads it. What cannot be read is not known; the metadata service is never asked.
pub(super) fn read() -> Machine {
    let ids = ID_FILES.iter().filter_map(|path| files::read_text(Path::new(path)).ok());
    let addresses = if_addrs::get_if_addrs().unwrap_or_default();
    Machine {
        ids: ids.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect(),
        host_name: gethostname::gethostname().into_string().ok().filter(|name| !name.is_empty()),
        addresses: addresses
            .into_iter()
            .map(|interface| interface.ip())
            .filter(|ip| !is_local(ip))
            .map(|ip| ip.to_string())
            .collect(),
    }
}

/// Who sits here, by the name of this machine's user: a note for people, and no proof.
pub(super) fn user() -> String {
    whoami::username().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned())
}

/// Every machine has these, so they tell none from another.
fn is_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

/// A plan may have been made elsewhere: it is refused where it would wipe the machine that runs it.
/// A cloud that was proven to be simulated has no such machine; what the plan says of it is no proof.
pub(super) fn refuse_self(
    plan: &CheckedPlan,
    machine: &Machine,
    is_simulated: bool,
) -> Result<(), Failure> {
    if !plan.not_self || is_simulated {
        return Ok(());
    }
    let found = plan.targets.iter().find_map(|(id, target)| {
        Some((target, machine.is(id, &target.found.name, &target.found.addresses)?))
    });
    found.map_or(Ok(()), |(target, why)| {
        Err(Failure::refused(
            format!("the plan would wipe {}: {why}", target.found.name),
            "run it from another machine; `guards: { not_self: false }` if it is another server",
        ))
    })
}
