//! Key pairs are named, and the key behind a name can change: is it still the one of the plan? Start
//! with [`recheck_key_pair`].

use crate::domain::{KeyPair, Provider, UserId};

use super::judge::Obstacle;
use super::{CloudIdentity, Plan};

/// What to know of a key pair of another user: nobody but that user can see it. Nova is not told whose
/// it is, and installs the one of that name of whoever asks.
pub(super) fn of_another(
    cloud: &CloudIdentity,
    name: &str,
    owner: &UserId,
) -> Result<String, Obstacle> {
    if cloud.provider == Provider::OpenStack {
        return Err(Obstacle {
            code: "C10",
            cause: format!(
                "key pair {name} of user {owner} cannot be installed by user {}: Nova would take \
                 that user's own key pair of this name",
                cloud.user_name
            ),
            help: "log in as the owner of the key pair, or take `reinstall.key_owner` out"
                .to_owned(),
        });
    }
    Ok(format!("key pair {name} belongs to user {owner}: only that user can see whether it exists"))
}

/// Why a key pair of the acting user cannot be installed any more. A plan of an older refleet does not
/// know which key it means; then only that there is one is asked.
#[must_use]
pub fn recheck_key_pair(plan: &Plan, name: &str, found: Option<&KeyPair>) -> Option<String> {
    let user = &plan.cloud.user_name;
    let Some(found) = found else {
        return Some(format!("Ecs.0314: user {user} no longer sees key pair {name}"));
    };
    let pin = plan.key_pairs.get(name)?;
    if found.fingerprint != pin.fingerprint {
        return Some(format!(
            "key pair {name} is another key than in the plan: its fingerprint was {}, is {}",
            pin.fingerprint, found.fingerprint
        ));
    }
    let owner = found.user.as_ref().unwrap_or(&plan.cloud.user_id);
    (*owner != pin.owner).then(|| {
        format!("key pair {name} belonged to user {}, and belongs to user {owner} now", pin.owner)
    })
}
