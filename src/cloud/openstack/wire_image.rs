//! Images as Glance writes them. Start with [`Image`].

use serde::Deserialize;

use super::super::lenient::{Text, or_default};
use crate::domain::{self, ImageId};

#[derive(Deserialize)]
pub(super) struct Images {
    #[serde(deserialize_with = "or_default")]
    pub(super) images: Vec<Image>,
    #[serde(default)]
    pub(super) next: Text,
}

/// What is not in every cloud is a property that somebody may have set, or not.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Image {
    id: Text,
    name: Text,
    status: Text,
    visibility: Text,
    min_disk: Text,
    min_ram: Text,
    os_type: Text,
    os_distro: Text,
    os_version: Text,
}

impl Image {
    pub(super) fn into_domain(self) -> Option<domain::Image> {
        let number = |text: &Text| text.number().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Some(domain::Image {
            id: ImageId::new(self.id.some()?),
            name: self.name.or_empty(),
            status: self.status.or_empty(),
            kind: self.visibility.or_empty(),
            registered: true,
            os_type: os_type(self.os_type.as_str()),
            platform: self.os_distro.or_empty(),
            os_version: self.os_version.or_empty(),
            // Nova's images are made for it; nothing says which are not.
            cloud_init: true,
            whole_server: false,
            backup: None,
            charged: false,
            key: None,
            min_disk_gib: number(&self.min_disk),
            min_ram_mib: number(&self.min_ram),
            made_for: None,
        })
    }
}

/// `linux` and `windows` as the rest of us writes them; not said stays not said.
fn os_type(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "linux" => "Linux".to_owned(),
        "windows" => "Windows".to_owned(),
        _ => text.to_owned(),
    }
}
