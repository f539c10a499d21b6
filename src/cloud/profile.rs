//! Vendor profiles: what is the same for everybody who uses a cloud.
//!
//! Start with [`laid_under`]. A profile is found in `clouds-public.yaml` or is one of [`built_in`];
//! the values of the entry win. Nothing is ever fetched: an address in its place is refused.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config_entry::{Entry, Setting};
use super::lenient::or_default;

/// Stands for the region in an address.
pub(super) const REGION: &str = "{region_name}";

/// Profiles by name.
pub(super) type Profiles = BTreeMap<String, Entry>;

/// A cloud that we know: its profile, and the IAM of each of its regions. A host that is not here is
/// never put together from the name of a region: it may be another company's.
struct Vendor {
    profile: &'static str,
    regions: &'static [&'static str],
    iam: &'static str,
}

/// The clouds that we know (`auth.md`, section 6; IAM of the Swiss OTC goes by another name than its
/// services would let one guess; Dublin is under another domain than the rest of Huawei Cloud).
const KNOWN: [Vendor; 4] = [
    Vendor {
        profile: HUAWEI,
        regions: &[
            "ae-ad-1",
            "af-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "cn-east-2",
            "cn-east-3",
            "cn-east-4",
            "cn-east-5",
            "cn-north-1",
            "cn-north-2",
            "cn-north-4",
            "cn-north-9",
            "cn-north-12",
            "cn-south-1",
            "cn-south-2",
            "cn-southwest-2",
            "la-north-2",
            "la-south-2",
            "me-east-1",
            "na-mexico-1",
            "ru-moscow-1",
            "sa-brazil-1",
            "tr-west-1",
        ],
        iam: "https://iam.{region_name}.myhuaweicloud.com/v3",
    },
    Vendor {
        profile: HUAWEI,
        regions: &["eu-west-101"],
        iam: "https://iam.{region_name}.myhuaweicloud.eu/v3",
    },
    Vendor {
        profile: "otc",
        regions: &["eu-de", "eu-nl"],
        iam: "https://iam.{region_name}.otc.t-systems.com/v3",
    },
    Vendor {
        profile: "otc-swiss",
        regions: &["eu-ch2"],
        iam: "https://iam-pub.{region_name}.sc.otc.t-systems.com/v3",
    },
];

/// The profile of Huawei Cloud, whose entries often name nothing but a region.
pub(super) const HUAWEI: &str = "huaweicloud";

/// Where to log in, of a region of the cloud with that profile.
pub(super) fn iam_of(profile: &str, region: &str) -> Option<String> {
    let known = KNOWN.iter().find(|it| it.profile == profile && it.regions.contains(&region));
    known.map(|known| known.iam.replace(REGION, region))
}

/// The profile of the cloud that has a region of that name.
pub(super) fn profile_with(region: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| known.regions.contains(&region)).map(|known| known.profile)
}

/// Whether the address of that profile is only known of regions in the table.
pub(super) fn is_built_in(profile: &str) -> bool {
    KNOWN.iter().any(|known| known.profile == profile)
}

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
    let entry = |vendor: &Vendor| (vendor.profile.to_owned(), Entry::default());
    let mut known: Profiles = KNOWN.iter().map(entry).collect();
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
        return Err(format!(
            "profile {name:?} is not known; there are {}: set auth_url instead, or describe the \
             profile in clouds-public.yaml",
            names.join(", ")
        ));
    };
    let mut whole = under.clone().settle();
    whole.lay_over(entry);
    Ok(whole)
}
