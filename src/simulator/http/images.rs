//! Images (`storage-image-kms.md`, section 5).

use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::world::World;
use super::message::{Incoming, Outgoing};
use super::route::ImageCall;
use crate::domain::Image;

/// Serves a call about images. An unknown id is an empty list to `cloudimages`.
pub(super) fn answer(
    world: &World,
    request: &Incoming,
    call: &ImageCall,
) -> Result<Outgoing, ApiError> {
    match call {
        ImageCall::ListImages => {
            let (page, next) = page(world, request)?;
            let images: Vec<Value> = page.iter().map(|image| written(world, image)).collect();
            let mut body = json!({"images": images});
            if let (Some(last), Some(_)) = (page.last(), next) {
                body["page_info"] = json!({"next_marker": last.id.as_str()});
            }
            Ok(Outgoing::ok(&body))
        }
        ImageCall::NativeImages => {
            let (page, next) = page(world, request)?;
            let images: Vec<Value> = page.iter().map(|image| written(world, image)).collect();
            let mut body = json!({"images": images, "first": "/v2/images",
                "schema": "/v2/schemas/images"});
            if let (Some(last), Some(_)) = (page.last(), next) {
                let limit = request.query("limit").unwrap_or_default();
                body["next"] = json!(format!("/v2/images?limit={limit}&marker={}", last.id));
            }
            Ok(Outgoing::ok(&body))
        }
        ImageCall::ShowImage(id) => {
            let missing = || ApiError::new(404, "IMG.0027", format!("Image {id} does not exist."));
            let image = world.show_image(id).ok_or_else(missing)?;
            Ok(Outgoing::ok(&written(world, image)))
        }
        ImageCall::Quota => {
            let private = world.images.values().filter(|image| image.kind == "private").count();
            Ok(Outgoing::ok(&json!({"quotas": {"resources": [{"type": "image", "used": private,
                "quota": 100, "min": 0, "max": 1_000}]}})))
        }
    }
}

/// One page, and the first image behind it. `marker` is the last id of the page before.
fn page<'a>(
    world: &'a World,
    request: &Incoming,
) -> Result<(Vec<&'a Image>, Option<&'a Image>), ApiError> {
    let bad = |what: &str| ApiError::new(400, "IMG.0001", format!("The {what} is invalid."));
    let limit = request.number("limit", 500).map_err(|_| bad("limit"))? as usize;
    let mut found: Vec<&Image> =
        world.images.values().filter(|image| wanted(world, request, image)).collect();
    match request.query("sort_key").as_deref() {
        None | Some("created_at" | "updated_at" | "id") => {}
        Some("name") => found.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("status") => found.sort_by(|a, b| a.status.cmp(&b.status)),
        Some("min_disk") => found.sort_by_key(|image| image.min_disk_gib),
        Some(_) => return Err(bad("sort_key")),
    }
    if request.query("sort_dir").as_deref() == Some("desc") {
        found.reverse();
    }
    let from = match request.query("marker") {
        Some(marker) => {
            let at = found.iter().position(|image| image.id.as_str() == marker);
            at.ok_or_else(|| bad("marker"))? + 1
        }
        None => 0,
    };
    let page: Vec<&Image> = found.iter().skip(from).take(limit).copied().collect();
    let next = found.get(from + page.len()).copied();
    Ok((page, next))
}

/// Filters are compared with what an image says of itself.
fn wanted(world: &World, request: &Incoming, image: &Image) -> bool {
    const FIELDS: [&str; 15] = [
        "__imagetype",
        "__isregistered",
        "__platform",
        "__os_type",
        "__os_bit",
        "__whole_image",
        "__system__cmkid",
        "container_format",
        "disk_format",
        "min_disk",
        "min_ram",
        "owner",
        "protected",
        "virtual_env_type",
        "visibility",
    ];
    let same = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
    let any_id = request.query("id").is_none_or(|wanted| {
        let wanted = wanted.strip_prefix("in:").unwrap_or(&wanted);
        wanted.split(',').any(|id| id == image.id.as_str())
    });
    if !(any_id && same("name", &image.name) && same("status", &image.status)) {
        return false;
    }
    // Nothing has a tag, and nothing is shared with us by an offer.
    if request.query("tag").is_some_and(|tag| !tag.is_empty()) {
        return false;
    }
    let asked: Vec<_> = FIELDS.iter().filter_map(|key| Some((*key, request.query(key)?))).collect();
    if asked.is_empty() {
        return true;
    }
    let body = written(world, image);
    asked.iter().all(|(key, wanted)| {
        let have = body[*key].as_str().map(str::to_owned);
        let missing = body[*key].is_null().then(|| "false".to_owned());
        let have = have.or(missing).unwrap_or_else(|| body[*key].to_string());
        have.eq_ignore_ascii_case(wanted)
    })
}

/// `__support_fc_inject` is inverted: `true` means that cloud-init is not used.
fn written(world: &World, image: &Image) -> Value {
    let mut body = json!({
        "id": image.id.as_str(),
        "name": image.name,
        "status": image.status,
        "visibility": if image.kind == "gold" { "public" } else { image.kind.as_str() },
        "owner": world.account().project_id,
        "__imagetype": image.kind,
        "__isregistered": image.registered.to_string(),
        "__os_type": image.os_type,
        "__platform": image.platform,
        "__os_version": image.os_version,
        "__os_bit": "64",
        "__image_source_type": "uds",
        "virtual_env_type": "FusionCompute",
        "disk_format": "zvhd2",
        "container_format": "bare",
        "min_disk": image.min_disk_gib,
        "min_ram": image.min_ram_mib,
        "protected": true,
        "schema": "/v2/schemas/image",
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
        "tags": [],
    });
    if !image.cloud_init {
        body["__support_fc_inject"] = json!("true");
    }
    if image.whole_server {
        body["__whole_image"] = json!(true);
        body["__backup_id"] = json!(image.backup);
    }
    if image.charged {
        body["__account_code"] = json!("charged");
    }
    if let Some(key) = &image.key {
        body["__system__cmkid"] = json!(key);
    }
    body
}
