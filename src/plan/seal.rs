//! The name of a plan: the hash of everything else in it.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::PlanId;

use super::Plan;

impl Plan {
    /// Names the plan by its content.
    pub fn seal(mut self) -> serde_json::Result<Self> {
        self.id = self.content_id()?;
        Ok(self)
    }

    /// Whether the plan is the one that its name was made for.
    #[must_use]
    pub fn verify_id(&self) -> bool {
        self.content_id().is_ok_and(|id| id == self.id)
    }

    /// Whether `apply` may take it: there is something to do, and nobody is in the way.
    #[must_use]
    pub fn is_runnable(&self) -> bool {
        self.blocked.is_empty() && !self.targets.is_empty()
    }

    /// SHA-256 of the plan's compact JSON without its `id`, in hex.
    ///
    /// It is written straight into the hash: a plan for 100,000 servers is some hundred megabytes
    /// of JSON, which nobody needs to hold.
    fn content_id(&self) -> serde_json::Result<PlanId> {
        let mut writer = BufWriter::with_capacity(64 * 1024, Hashing(Sha256::new()));
        serde_json::to_writer(&mut writer, &Content::of(self))?;
        let hashing =
            writer.into_inner().map_err(|error| serde_json::Error::io(error.into_error()))?;
        Ok(PlanId::new(hex::encode(hashing.0.finalize())))
    }
}

/// Takes bytes and keeps nothing but their hash.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A plan of a refleet that did not know the field keeps its name.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_yes(flag: &&bool) -> bool {
    **flag
}

/// The same for what a plan has none of.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_none<K, V>(map: &&indexmap::IndexMap<K, V>) -> bool {
    map.is_empty()
}

macro_rules! content {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        /// A plan without its name.
        #[derive(Serialize)]
        struct Content<'p> {
            $($(#[$meta])* $field: &'p $type,)*
        }

        impl<'p> Content<'p> {
            // Taken apart whole, so that a new field of a plan cannot be forgotten here.
            fn of(Plan { id: _, folder: _, $($field,)* }: &'p Plan) -> Self {
                Self { $($field,)* }
            }
        }
    };
}

content! {
    format: u32,
    made: crate::domain::Timestamp,
    expires: crate::domain::Timestamp,
    name: String,
    cloud: super::CloudIdentity,
    origin: crate::domain::Origin,
    files: Vec<crate::domain::PinnedFile>,
    #[serde(skip_serializing_if = "is_yes")]
    not_self: bool,
    limits: crate::playbook::Limits,
    fleets: indexmap::IndexMap<crate::domain::FleetName, super::PlannedFleet>,
    treatments: Vec<super::PlannedTreatment>,
    targets: indexmap::IndexMap<crate::domain::ServerId, super::Target>,
    images: indexmap::IndexMap<crate::domain::ImageId, super::ImageNote>,
    #[serde(skip_serializing_if = "is_none")]
    key_pairs: indexmap::IndexMap<String, super::KeyPairPin>,
    left_out: Vec<super::LeftOut>,
    blocked: Vec<super::Blocked>,
    warnings: Vec<String>,
    forecast: super::Forecast,
}
