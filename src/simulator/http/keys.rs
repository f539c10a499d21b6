//! Key pairs, which only their owner sees, and KMS keys (`ecs.md`, section 10;
//! `storage-image-kms.md`, section 7).

use serde_json::{Value, json};

use super::super::error::{ApiError, Shape};
use super::super::world::World;
use super::message::{Incoming, Outgoing};
use super::route::KeyCall;
use crate::domain::{KeyPair, KeyState, KmsKey};

/// Serves a call about keys.
pub(super) fn answer(
    world: &World,
    request: &Incoming,
    call: &KeyCall,
) -> Result<Outgoing, ApiError> {
    Ok(Outgoing::ok(&match call {
        KeyCall::KeyPairs => {
            let mine = |pair: &&KeyPair| world.show_key_pair(&pair.name) == Some(*pair);
            let pairs = world.key_pairs.iter().filter(mine);
            let pairs: Vec<Value> = pairs.map(|pair| json!({"keypair": written(pair)})).collect();
            json!({"keypairs": pairs})
        }
        KeyCall::KeyPair(name) => {
            let missing = || {
                let message = format!("Keypair {name} not found for user.");
                ApiError::new(404, "", message).shaped(Shape::Native)
            };
            let pair = world.show_key_pair(name).ok_or_else(missing)?;
            let mut body = written(pair);
            body["user_id"] = json!(pair.user.as_ref().map(crate::domain::UserId::as_str));
            body["created_at"] = json!("2025-01-01T00:00:00.000000");
            json!({"keypair": body})
        }
        KeyCall::ListKeys => kms_list(world, &request.json().unwrap_or_default()),
        KeyCall::DescribeKey => {
            let body = request.json().map_err(|error| error.shaped(Shape::Kms))?;
            let key = world.show_key(body["key_id"].as_str().unwrap_or_default())?;
            json!({"key_info": kms_detail(world, key)})
        }
    }))
}

fn written(pair: &KeyPair) -> Value {
    json!({"name": pair.name, "fingerprint": pair.fingerprint, "type": "ssh",
        "public_key": format!("ssh-ed25519 AAAA {}", pair.name)})
}

/// `truncated` is a text, `total` a number.
fn kms_list(world: &World, wanted: &Value) -> Value {
    let state = wanted["key_state"].as_str();
    let keys = world.keys.iter().filter(|key| state.is_none_or(|state| state == number(key.state)));
    let keys: Vec<&KmsKey> = keys.collect();
    json!({
        "keys": keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(),
        "key_details": keys.iter().map(|key| kms_detail(world, key)).collect::<Vec<_>>(),
        "next_marker": "",
        "truncated": "false",
        "total": keys.len(),
    })
}

fn kms_detail(world: &World, key: &KmsKey) -> Value {
    let default = key.alias.ends_with("/default");
    json!({"key_id": key.id, "key_alias": key.alias, "key_state": number(key.state),
        "domain_id": world.account().domain_id, "realm": world.account().region(),
        "default_key_flag": if default { "1" } else { "0" }, "key_type": "1",
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
