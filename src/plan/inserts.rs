//! What a template of user data inserts for one server, frozen in the plan.

use std::collections::BTreeMap;

use crate::domain::{HostFacts, HostValue, MAX_USER_DATA, MissingValue, list_some};
use crate::playbook::{Inserts, UserData};

use super::judge::{Finding, obstacle};

/// Names in one sentence.
const SHOWN: usize = 8;

/// The values by their names; `None`: the user data is no template.
pub(super) fn frozen(
    user_data: Option<&UserData>,
    host: &HostFacts<'_>,
) -> Finding<Option<BTreeMap<String, String>>> {
    let Some(UserData { file, inserts: Some(inserts) }) = user_data else { return Ok(None) };
    let Inserts { bytes, names, values } = inserts;
    let of_host = |name: &str| HostValue::named(name)?.of(host);
    let value = |name: &String| values.get(name).map(String::as_str).or_else(|| of_host(name));
    let missing: Vec<&String> = names.keys().filter(|name| value(name).is_none()).collect();
    if !missing.is_empty() {
        let (several, none): (Vec<&String>, Vec<&String>) =
            missing.iter().partition(|name| MissingValue::of(name, host).is_several());
        let parts = [("has no", none), ("has several values of", several)];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let parts = parts.map(|(how, names)| format!("{how} {}", list_some(names, SHOWN)));
        return obstacle(
            "refleet.insert",
            format!("it {}, which {} inserts", parts.collect::<Vec<_>>().join(" and "), file.path),
            "give the server what is missing, take the insert out, or name another file for this \
             server with `overrides`",
        );
    }
    let frozen: BTreeMap<String, String> =
        names.keys().filter_map(|name| Some((name.clone(), value(name)?.to_owned()))).collect();
    let inserted: usize = names.iter().map(|(name, times)| times * frozen[name].len()).sum();
    if bytes + inserted > MAX_USER_DATA {
        return obstacle(
            "refleet.file",
            format!(
                "{} filled in for it has {} bytes, and the cloud takes {MAX_USER_DATA}",
                file.path,
                bytes + inserted
            ),
            "make the file or what is inserted shorter: user data can fetch what is large when \
             the server boots",
        );
    }
    Ok(Some(frozen))
}
