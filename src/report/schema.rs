//! The shape of a record, for other programs.

use crate::domain::Record;

/// JSON Schema of a line of `--events` and of the journal: `schemas/event.v1.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Record).to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const STREAMS: [&str; 2] = [
        include_str!("../../tests/journals/v1/all-kinds.jsonl"),
        include_str!("../../tests/journals/v1/chaos.jsonl"),
    ];

    #[test]
    fn the_schema_file_is_the_one_of_the_types() {
        let file: Value =
            serde_json::from_str(include_str!("../../schemas/event.v1.json")).unwrap();
        assert_eq!(file, schema(), "refleet schema event > schemas/event.v1.json");
    }

    #[test]
    fn streams_of_released_versions_are_read_for_ever_and_lose_nothing() {
        for line in STREAMS.iter().flat_map(|stream| stream.lines()) {
            let record: Record = serde_json::from_str(line).unwrap();
            let again = serde_json::to_value(&record).unwrap();
            assert_eq!(again, serde_json::from_str::<Value>(line).unwrap());
        }
    }

    #[test]
    fn streams_hold_to_the_schema() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for line in STREAMS.iter().flat_map(|stream| stream.lines()) {
            let line: Value = serde_json::from_str(line).unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{line}: {errors:?}");
        }
    }

    #[test]
    fn there_is_a_golden_line_of_every_kind_of_event() {
        let schema = schema();
        let kinds = schema["$defs"]["Event"]["oneOf"].as_array().unwrap();
        let kinds: BTreeSet<&str> = kinds
            .iter()
            .map(|kind| kind["properties"]["event"]["const"].as_str().unwrap())
            .collect();
        let lines = STREAMS[0].lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: BTreeSet<String> =
            lines.map(|line| line["event"]["event"].as_str().unwrap().to_owned()).collect();
        assert!(kinds.len() > 20);
        assert_eq!(lines.iter().map(String::as_str).collect::<BTreeSet<_>>(), kinds);
    }
}
