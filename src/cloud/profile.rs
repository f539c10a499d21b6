//! Vendor profiles: what is the same for everybody who uses a cloud.
//!
//! Start with [`laid_under`]. A profile is found in `clouds-public.yaml` or is one of [`built_in`];
//! the values of the entry win. Nothing is ever fetched: an address in its place is refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config_entry::{Entry, Login, Setting};
use super::lenient::or_default;

/// Stands for the region in an address.
pub(super) const REGION: &str = "{region_name}";

/// Profiles by name.
pub(super) type Profiles = BTreeMap<String, Entry>;

/// Name and IAM of the clouds that we know (`auth.md`, section 6; IAM of the Swiss OTC goes by
/// another name than its services would let one guess).
const KNOWN: [(&str, &str); 3] = [
    ("huaweicloud", "https://iam.{region_name}.myhuaweicloud.com/v3"),
    ("otc", "https://iam.{region_name}.otc.t-systems.com/v3"),
    ("otc-swiss", "https://iam-pub.{region_name}.sc.otc.t-systems.com/v3"),
];

/// A `clouds-public.yaml`.
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default, rename = "public-clouds", deserialize_with = "or_default")]
    clouds: BTreeMap<String, Option<Entry>>,
}

impl File {
    pub(super) fn profiles(self) -> impl Iterator<Item = (String, Entry)> {
        self.clouds.into_iter().map(|(name, entry)| (name, entry.unwrap_or_default()))
    }
}

/// The profiles that we know.
pub(super) fn built_in() -> Profiles {
    let entry = |(name, url): (&str, &str)| {
        let auth = Login { auth_url: Setting::of(url), ..Login::default() };
        (name.to_owned(), Entry { auth, ..Entry::default() })
    };
    let mut known: Profiles = KNOWN.into_iter().map(entry).collect();
    if let Some(swiss) = known.get_mut("otc-swiss") {
        swiss.region_name = Setting::of("eu-ch2");
    }
    known
}

/// The entry with its profile under it.
pub(super) fn laid_under(entry: Entry, known: &Profiles) -> Result<Entry, String> {
    let name = entry.profile.as_str();
    if name.is_empty() {
        return Ok(entry);
    }
    if name.contains("://") {
        return Err(
            "its profile is an address, and nothing is fetched from there: copy its values \
                    into clouds-public.yaml and name them"
                .to_owned(),
        );
    }
    let Some(under) = known.get(name) else {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(format!("profile {name:?} is not known; there are {}", names.join(", ")));
    };
    let mut whole = under.clone();
    whole.lay_over(entry);
    Ok(whole)
}
