//! Stop, start and reinstall, as they are asked for on the wire (`ecs.md`, sections 5 and 6).

use serde_json::{Value, json};

use super::super::commands::{StopFirst, Wipe};
use super::super::error::{ApiError, Shape};
use super::super::knobs::TaskStatus;
use super::super::world::World;
use super::message::{Incoming, Outgoing};
use super::route::{Call, PowerCall};
use crate::domain::{ImageId, InstallCall, JobId, Millis, ServerId, StopMode};

/// The name that a call is counted under: a batch says only in its body what it does.
pub(super) fn operation(call: &Call, request: &Incoming) -> &'static str {
    if !matches!(call, Call::Power(PowerCall::Batch | PowerCall::NativeAction(_))) {
        return call.operation();
    }
    let body = request.json().unwrap_or_default();
    let names =
        [("os-stop", "stop"), ("os-start", "start"), ("reboot", "reboot"), ("rebuild", "rebuild")];
    let found = names.into_iter().find(|(key, _)| body.get(key).is_some());
    found.map_or(call.operation(), |(_, name)| name)
}

/// The servers that a call is about.
pub(super) fn servers(call: &PowerCall, body: &Value) -> Vec<ServerId> {
    match call {
        PowerCall::NativeAction(id) | PowerCall::Reinstall(id, _) | PowerCall::ChangeOs(id, _) => {
            vec![id.clone()]
        }
        PowerCall::Batch => {
            let action = body.as_object().and_then(|body| body.values().next());
            action.and_then(|action| ids(action).ok()).unwrap_or_default()
        }
    }
}

/// Serves a call that changes something.
pub(super) fn answer(
    world: &mut World,
    now: Millis,
    (request, call): (&Incoming, &PowerCall),
) -> Result<Outgoing, ApiError> {
    let body = request.json()?;
    let status = match world.knobs.task_status {
        TaskStatus::Ok => 200,
        TaskStatus::Accepted => 202,
    };
    let accepted = |job: &JobId| Outgoing::raw(status, json!({"job_id": job.as_str()}).to_string());
    match call {
        PowerCall::Batch => batch(world, now, &body).map(|job| accepted(&job)),
        PowerCall::Reinstall(id, form) => {
            let wipe = wipe(&body["os-reinstall"], *form)?;
            world.reinstall(now, id, &wipe).map(|job| accepted(&job))
        }
        PowerCall::ChangeOs(id, form) => {
            let wanted = &body["os-change"];
            let wipe = wipe(wanted, *form)?;
            let image = wanted["imageid"].as_str().ok_or_else(|| invalid("imageid is missing."))?;
            let wipe = Wipe { new_image: Some(ImageId::from(image)), ..wipe };
            world.reinstall(now, id, &wipe).map(|job| accepted(&job))
        }
        PowerCall::NativeAction(id) => native_action(world, now, (id, &body)).map_err(native),
    }
}

fn batch(world: &mut World, now: Millis, body: &Value) -> Result<JobId, ApiError> {
    if let Some(stop) = body.get("os-stop") {
        return world.stop(now, &ids(stop)?, mode(stop)?);
    }
    if let Some(reboot) = body.get("reboot") {
        return world.reboot(now, &ids(reboot)?, mode(reboot)?);
    }
    match body.get("os-start") {
        Some(start) => world.start(now, &ids(start)?),
        None => Err(invalid("The request names no action that is known here.")),
    }
}

/// Native Nova has no codes of its own, and says 409 where a server is not in the right state.
fn native(error: ApiError) -> ApiError {
    let conflict = matches!(error.code, "Ecs.0100" | "Ecs.0603" | "Ecs.0605");
    let status = if conflict { 409 } else { error.status };
    ApiError { status, ..error.shaped(Shape::Native) }
}

fn native_action(
    world: &mut World,
    now: Millis,
    (id, body): (&ServerId, &Value),
) -> Result<Outgoing, ApiError> {
    let ids = std::slice::from_ref(id);
    if let Some(rebuild) = body.get("rebuild") {
        let image = rebuild["imageRef"].as_str().ok_or_else(|| invalid("imageRef is missing."))?;
        world.rebuild(now, id, &ImageId::from(image))?;
        let server = super::native::written(world, world.show_server(now, id)?);
        return Ok(Outgoing::raw(202, json!({"server": server}).to_string()));
    }
    if let Some(stop) = body.get("os-stop") {
        let _job = world.stop(now, ids, mode(stop)?)?;
    } else if let Some(reboot) = body.get("reboot") {
        let _job = world.reboot(now, ids, mode(reboot)?)?;
    } else if body.get("os-start").is_some() {
        let _job = world.start(now, ids)?;
    } else {
        return Err(invalid("The request names no action that is known here."));
    }
    Ok(Outgoing::raw(202, String::new()))
}

fn ids(action: &Value) -> Result<Vec<ServerId>, ApiError> {
    let servers = action["servers"].as_array().ok_or_else(|| invalid("servers is missing."))?;
    let id = |server: &Value| server["id"].as_str().map(ServerId::from);
    let ids: Option<Vec<ServerId>> = servers.iter().map(id).collect();
    ids.ok_or_else(|| invalid("A server has no id."))
}

fn mode(stop: &Value) -> Result<StopMode, ApiError> {
    match stop["type"].as_str() {
        None | Some("SOFT") => Ok(StopMode::Soft),
        Some("HARD") => Ok(StopMode::Hard),
        Some(_) => Err(invalid("type must be SOFT or HARD.")),
    }
}

fn invalid(message: &'static str) -> ApiError {
    ApiError::new(400, "Ecs.0005", message)
}

fn wipe(wanted: &Value, call: InstallCall) -> Result<Wipe, ApiError> {
    if !wanted.is_object() {
        return Err(invalid("os-reinstall or os-change is missing."));
    }
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let metadata = &wanted["metadata"];
    if text(&metadata["BYOL"]).is_some_and(|byol| byol != "true") {
        return Err(invalid("BYOL must be true where it is set."));
    }
    let password = text(&wanted["adminpass"]);
    if password.as_ref().is_some_and(|password| !is_strong(password)) {
        return Err(ApiError::coded("Ecs.0011"));
    }
    let user_data = text(&metadata["user_data"]).filter(|_| call == InstallCall::V2);
    if user_data.as_ref().is_some_and(|base64| base64.len() / 4 * 3 > MOST_USER_DATA + 2) {
        return Err(invalid("user_data is longer than 32 KB."));
    }
    let key_pair = match (text(&wanted["keyname"]), text(&wanted["userid"])) {
        (None, _) => None,
        (Some(name), Some(owner)) => Some((name, owner)),
        (Some(_), None) => return Err(invalid("userid is needed with keyname.")),
    };
    let stop_first = match wanted["mode"].as_str() {
        None => StopFirst::No,
        Some("withStopServer") => StopFirst::Yes,
        Some(_) => return Err(invalid("mode must be withStopServer.")),
    };
    Ok(Wipe {
        call,
        key_pair,
        password: password.is_some(),
        user_data: user_data.is_some(),
        byol: text(&metadata["BYOL"]).is_some(),
        new_image: None,
        disk_key: disk_key(metadata)?,
        stop_first,
    })
}

/// The longest user data, before it is written in base64 (`ecs.md`, section 10).
const MOST_USER_DATA: usize = 32 * 1024;

/// Whether the cloud takes a password (`ecs.md`, section 10). The name of the user in it is
/// not looked for.
fn is_strong(password: &str) -> bool {
    let kinds: [fn(char) -> bool; 4] = [
        |it| it.is_ascii_uppercase(),
        |it| it.is_ascii_lowercase(),
        |it| it.is_ascii_digit(),
        |it| "!@$%^-_=+[{}]:,./?~#*".contains(it),
    ];
    let met = kinds.iter().filter(|kind| password.chars().any(**kind)).count();
    (8..=26).contains(&password.chars().count()) && met >= 3
}

fn disk_key(metadata: &Value) -> Result<Option<String>, ApiError> {
    let key = metadata["__system__cmkid"].as_str();
    match (metadata["__system__encrypted"].as_str(), key) {
        (None | Some("0"), None) => Ok(None),
        (Some("1"), Some(key)) => Ok(Some(key.to_owned())),
        (Some("1"), None) => Err(ApiError::new(400, "Ecs.0912", "The encryption key is missing.")),
        _ => Err(invalid("__system__encrypted and __system__cmkid do not agree.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code that a reinstall is refused with before any server is looked at.
    fn refused(wanted: &Value) -> Option<&'static str> {
        wipe(wanted, InstallCall::V2).err().map(|error| error.code)
    }

    #[test]
    fn a_weak_password_and_long_user_data_are_refused() {
        let password = |text: &str| json!({"adminpass": text});
        for weak in ["Ab1!", "abcdefgh1", "ABCDEFGH1", &"Ab1!".repeat(7)] {
            assert_eq!(refused(&password(weak)), Some("Ecs.0011"), "{weak}");
        }
        assert_eq!(refused(&password("Abcdefg1")), None);
        let data = |raw: usize| {
            let base64 = "A".repeat(raw.div_ceil(3) * 4);
            json!({"metadata": {"user_data": base64}})
        };
        assert_eq!(refused(&data(32 * 1024)), None);
        assert_eq!(refused(&data(32 * 1024 + 3)), Some("Ecs.0005"));
    }
}
