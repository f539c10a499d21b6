//! Key pairs, which only their owner sees, and KMS keys (`ecs.md`, section 10;
//! `storage-image-kms.md`, section 7).

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::super::world::World;
use super::message::{Incoming, Outgoing};
use super::route::KeyCall;
use crate::domain::{KeyPair, KeyState, KmsKey, Millis, UserId};

/// Serves a call about keys.
pub(super) fn answer(
    world: &mut World,
    now: Millis,
    (request, call): (&Incoming, &KeyCall),
) -> Result<Outgoing, ApiError> {
    Ok(Outgoing::ok(&match call {
        KeyCall::KeyPairs => {
            let mine = |pair: &&KeyPair| world.show_key_pair(&pair.name) == Some(*pair);
            let pairs = world.key_pairs.iter().filter(mine);
            let pairs: Vec<Value> = pairs.map(|pair| json!({"keypair": written(pair)})).collect();
            json!({"keypairs": pairs})
        }
        KeyCall::KeyPair(name) => {
            let pair = world.show_key_pair(name).ok_or_else(|| no_pair(name))?;
            let mut body = written(pair);
            body["user_id"] = json!(pair.user.as_ref().map(UserId::as_str));
            body["created_at"] = json!("2025-01-01T00:00:00.000000");
            json!({"keypair": body})
        }
        KeyCall::CreateKeyPair => return create_pair(world, request),
        KeyCall::DeleteKeyPair(name) => {
            let pair = world.show_key_pair(name).cloned().ok_or_else(|| no_pair(name))?;
            world.key_pairs.retain(|it| *it != pair);
            return Ok(Outgoing::raw(202, String::new()));
        }
        KeyCall::ListKeys => kms_list(world, &request.json().unwrap_or_default())?,
        KeyCall::DescribeKey => {
            let body = request.json().map_err(|error| error.shaped(Shape::Kms))?;
            let key = world.show_key(body["key_id"].as_str().unwrap_or_default())?;
            json!({"key_info": kms_detail(world, key)})
        }
        KeyCall::Aliases => aliases(world, now, request),
        KeyCall::KeyQuota => {
            let used = world.keys.iter().filter(|key| !is_default(key)).count();
            json!({"quotas": {"resources": [
                {"type": "CMK", "used": used, "quota": 100},
                {"type": "grant_per_CMK", "used": 0, "quota": 100}]}})
        }
    }))
}

fn no_pair(name: &str) -> ApiError {
    ApiError::new(404, "", format!("Keypair {name} not found for user.")).shaped(Shape::Native)
}

/// Imports a public key, or makes a pair: then the answer is the only place with the private key.
fn create_pair(world: &mut World, request: &Incoming) -> Result<Outgoing, ApiError> {
    let refuse = |status, text: &'static str| ApiError::new(status, "", text).shaped(Shape::Native);
    let body = request.json().map_err(|error| error.shaped(Shape::Native))?;
    let wanted = &body["keypair"];
    let name = wanted["name"].as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| refuse(400, "The name of the key pair is missing."))?;
    if world.show_key_pair(name).is_some() {
        return Err(refuse(409, "A key pair of that name exists."));
    }
    let user = UserId::from(world.account().user_id.as_str());
    let digits = world.dice.hex();
    let bytes: Vec<&str> = (0..16).map(|at| &digits[at * 2..at * 2 + 2]).collect();
    let pair = KeyPair { name: name.to_owned(), fingerprint: bytes.join(":"), user: Some(user) };
    let mut told = written(&pair);
    told["user_id"] = json!(world.account().user_id);
    match wanted["public_key"].as_str() {
        Some(public) => told["public_key"] = json!(public),
        None => told["private_key"] = json!("-----BEGIN SIMULATED PRIVATE KEY-----\n"),
    }
    world.key_pairs.push(pair);
    Ok(Outgoing::ok(&json!({"keypair": told})))
}

fn written(pair: &KeyPair) -> Value {
    json!({"name": pair.name, "fingerprint": pair.fingerprint, "type": "ssh",
        "public_key": format!("ssh-ed25519 AAAA {}", pair.name)})
}

/// `limit` and `truncated` are texts, `total` is a number; `marker` is the first key of the page,
/// as `next_marker` named it.
fn kms_list(world: &World, wanted: &Value) -> Result<Value, ApiError> {
    let bad = || ApiError::new(400, "KMS.0204", "The parameter is invalid.").shaped(Shape::Kms);
    let text = |key: &str| wanted[key].as_str().filter(|text| !text.is_empty());
    let limit = match (wanted.get("limit"), text("limit")) {
        (None, _) => 1_000,
        (Some(_), Some(text)) => text.parse().map_err(|_| bad())?,
        (Some(number), None) => number.as_u64().ok_or_else(bad)?,
    };
    let limit = usize::try_from(limit).ok().filter(|n| (1..=1_000).contains(n)).ok_or_else(bad)?;
    let state = text("key_state");
    let fits = |key: &&KmsKey| state.is_none_or(|state| state == number(key.state));
    let all: Vec<&KmsKey> = world.keys.iter().filter(fits).collect();
    let from = match text("marker") {
        Some(marker) => all.iter().position(|key| key.id == marker).ok_or_else(bad)?,
        None => 0,
    };
    let page: Vec<&KmsKey> = all.iter().skip(from).take(limit).copied().collect();
    let next = all.get(from + page.len());
    Ok(json!({
        "keys": page.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(),
        "key_details": page.iter().map(|key| kms_detail(world, key)).collect::<Vec<_>>(),
        "next_marker": next.map_or("", |key| key.id.as_str()),
        "truncated": next.is_some().to_string(),
        "total": all.len(),
    }))
}

/// The answer is a list with one page in it, as the SDK has it.
fn aliases(world: &World, now: Millis, request: &Incoming) -> Value {
    let wanted = request.query("key_id");
    let (account, at) = (world.account(), world.wall(now));
    let of = |key: &&KmsKey| wanted.as_ref().is_none_or(|id| *id == key.id);
    let aliases = world.keys.iter().filter(of).map(|key| {
        json!({"domain_id": account.domain_id, "key_id": key.id,
            "alias": format!("alias/{}", key.alias), "alias_urn": "",
            "create_time": at.0.to_string(), "update_time": at.0.to_string()})
    });
    json!([{"aliases": aliases.collect::<Vec<_>>(), "page_info": {"next_marker": ""}}])
}

fn is_default(key: &KmsKey) -> bool {
    key.alias.ends_with("/default")
}

fn kms_detail(world: &World, key: &KmsKey) -> Value {
    json!({"key_id": key.id, "key_alias": key.alias, "key_state": number(key.state),
        "domain_id": world.account().domain_id, "realm": world.account().region(),
        "default_key_flag": if is_default(key) { "1" } else { "0" }, "key_type": "1",
        "key_spec": "AES_256", "key_usage": "ENCRYPT_DECRYPT", "origin": "kms",
        "key_description": "", "creation_date": "1735689600000", "scheduled_deletion_date": ""})
}

fn number(state: KeyState) -> &'static str {
    match state {
        KeyState::PendingActivation => "1",
        KeyState::Enabled => "2",
        KeyState::Disabled => "3",
        KeyState::PendingDeletion => "4",
        KeyState::PendingImport => "5",
    }
}
