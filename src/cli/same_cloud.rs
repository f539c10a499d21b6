//! A plan is for one cloud, and for what that could do: is this the one? Start with [`refuse_another`].

use std::collections::BTreeSet;
use std::fmt::Display;

use http::Uri;

use crate::domain::{Encryption, Feature, Features, Login, list_some};
use crate::plan::{CloudIdentity, Plan};
use crate::playbook::Check;

use super::connection::BUILT_IN;
use super::failure::Failure;
use super::needs::Needs;

/// Something of a cloud that is not what it was.
struct Differs {
    what: &'static str,
    was: String,
    is: String,
}

/// Refuses if the plan is for another cloud than the one that is there; every difference is shown.
pub(super) fn refuse_another(plan: &Plan, there: &CloudIdentity) -> Result<(), Failure> {
    let planned = &plan.cloud;
    let mut found = Vec::new();
    differ(&mut found, "family of clouds", name(planned), name(there));
    // A plan of an older refleet does not say where its cloud is.
    if !planned.auth_host.is_empty() {
        differ(&mut found, "address to log in at", &planned.auth_host, &there.auth_host);
    }
    differ(&mut found, "region", &planned.region, &there.region);
    let project = |cloud: &CloudIdentity| format!("{} ({})", cloud.project_name, cloud.project_id);
    if planned.project_id != there.project_id {
        differ(&mut found, "project", project(planned), project(there));
    }
    let kind = |simulated| if simulated { "simulated" } else { "real" };
    differ(&mut found, "kind", kind(planned.simulated), kind(there.simulated));
    if planned.provider == there.provider {
        features(&mut found, plan, &there.features);
    }
    if found.is_empty() {
        return Ok(());
    }
    let mut told = vec![format!("the plan was made for another cloud than {} is now", there.name)];
    let found = found.iter();
    told.extend(found.map(|Differs { what, was, is }| format!("  {what}: was {was}, is {is}")));
    let help = "use the cloud that the plan was made with, or make a new plan";
    Err(Failure::refused_lines(&told, &[help.to_owned()]))
}

/// Refuses another user where a key pair of the plan is installed that belongs to the one who made it;
/// elsewhere says that it is another.
pub(super) fn refuse_another_user(
    planned: &CloudIdentity,
    needs: &Needs<'_>,
    there: &CloudIdentity,
) -> Result<Option<String>, Failure> {
    if planned.user_id == there.user_id {
        return Ok(None);
    }
    let who = |cloud: &CloudIdentity| format!("{} ({})", cloud.user_name, cloud.user_id);
    let (was, is) = (who(planned), who(there));
    if needs.key_pairs.is_empty() {
        return Ok(Some(format!("the plan was made by user {was}; you are {is}")));
    }
    let pairs: Vec<&&str> = needs.key_pairs.iter().collect();
    Err(Failure::refused(
        format!(
            "the plan was made by user {was} and installs key pairs of that user, and you are {is}: {}",
            list_some(&pairs, 5)
        ),
        "key pairs are each user's own: log in as the user who made the plan, or make a new plan",
    ))
}

/// Refuses a saved plan that does not say all that is compared.
pub(super) fn refuse_unpinned(plan: &Plan) -> Result<(), Failure> {
    let needs = Needs::of(plan, false);
    let unpinned = needs.key_pairs.iter().any(|name| !plan.key_pairs.contains_key(*name));
    let is_placed = plan.cloud.name == BUILT_IN || !plan.cloud.auth_host.is_empty();
    if !unpinned && is_placed {
        return Ok(());
    }
    let lacks =
        if unpinned { "which keys its key pairs are" } else { "at which address its cloud is" };
    Err(Failure::refused(
        format!("the plan was made by an older refleet and does not say {lacks}"),
        "make a new plan",
    ))
}

/// Scheme, host and port of an address, always written in the same way.
pub(super) fn host_of(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return url.to_owned() };
    let scheme = uri.scheme_str().unwrap_or("http").to_ascii_lowercase();
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    format!("{scheme}://{host}:{port}")
}

fn name(cloud: &CloudIdentity) -> String {
    let value = serde_json::to_value(cloud.provider).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn differ(found: &mut Vec<Differs>, what: &'static str, was: impl Display, is: impl Display) {
    let (was, is) = (was.to_string(), is.to_string());
    if was != is {
        found.push(Differs { what, was, is });
    }
}

/// What the cloud can do, as far as the plan rests on it. What it can do more than then is no matter.
fn features(found: &mut Vec<Differs>, plan: &Plan, is: &Features) {
    let was = &plan.cloud.features;
    let says = |yes: bool| if yes { "yes" } else { "no" };
    if is.batch < plan.limits.stop_batch {
        differ(found, "servers that one stop may name", was.batch, is.batch);
    }
    for (what, was, is) in [
        ("a reinstall keeps the disk's id", was.keeps_disk, is.keeps_disk),
        ("a running server may be reinstalled", was.reinstalls_running, is.reinstalls_running),
        ("a reinstall names its image", was.names_image, is.names_image),
        ("a reinstall keeps the way in", was.keeps_login, is.keeps_login),
        ("calls show at once in its log", was.immediate_log, is.immediate_log),
    ] {
        differ(found, what, says(was), says(is));
    }
    for feature in used(plan) {
        if let (None, Some(lack)) = (was.lack(feature), is.lack(feature)) {
            differ(found, "what it can do", "enough for the plan", lack);
        }
    }
}

/// What the plan asks for that not every cloud can do.
fn used(plan: &Plan) -> BTreeSet<Feature> {
    let mut used = BTreeSet::new();
    for target in plan.targets.values() {
        let request = &target.reinstall;
        let asked = [
            (matches!(request.login, Login::KeyPair { .. }), Feature::KeyPair),
            (matches!(request.login, Login::Password(_)), Feature::AdminPass),
            (request.user_data.is_some(), Feature::UserData),
            (request.byol, Feature::License),
            (request.encryption != Encryption::None, Feature::Encryption),
        ];
        used.extend(asked.into_iter().filter(|(asked, _)| *asked).map(|(_, feature)| feature));
    }
    for treatment in &plan.treatments {
        used.extend(treatment.backup.is_some().then_some(Feature::Backup));
        let fetched = |check: &Check| matches!(check, Check::PasswordReady { .. });
        used.extend(treatment.verify.iter().any(fetched).then_some(Feature::FetchedPassword));
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_one_way() {
        let check = |url: &str, expected: &str| assert_eq!(host_of(url), expected, "{url}");
        check("https://iam.example.test/v3", "https://iam.example.test:443");
        check("HTTPS://IAM.example.test.:443", "https://iam.example.test:443");
        check("http://127.0.0.1:8080/v3/", "http://127.0.0.1:8080");
        check("http://u:p@[::1]/v3", "http://[::1]:80");
    }
}
