//! The JSON Schema of a plan file.

use schemars::generate::SchemaSettings;

use super::Plan;

/// The JSON Schema (draft 2020-12) of what `plan --format json` prints and `--out` writes.
#[must_use]
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Plan>().to_value()
}
