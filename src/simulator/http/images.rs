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
            let wanted = |key: &str, have: &str| request.query(key).is_none_or(|it| it == have);
            let found: Vec<Value> = world
                .images
                .values()
                .filter(|image| wanted("id", image.id.as_str()) && wanted("name", &image.name))
                .filter(|image| wanted("__imagetype", &image.kind))
                .filter(|image| wanted("status", &image.status))
                .map(|image| written(world, image))
                .collect();
            Ok(Outgoing::ok(&json!({"images": found})))
        }
        ImageCall::ShowImage(id) => {
            let missing = || ApiError::new(404, "IMG.0027", format!("Image {id} does not exist."));
            let image = world.show_image(id).ok_or_else(missing)?;
            Ok(Outgoing::ok(&written(world, image)))
        }
    }
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
        "min_ram": 0,
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
    }
    if let Some(backup) = &image.backup {
        body["__backup_id"] = json!(backup);
    }
    if image.charged {
        body["__account_code"] = json!("hws.resource.type.vm.image");
    }
    if let Some(key) = &image.key {
        body["__system__cmkid"] = json!(key);
    }
    body
}
