//! The JSON Schema of a playbook, made from the grammar: editors and refleet read the same table.

use serde_json::{Map, Value, json};

use super::grammar;
use super::shape::{Needed, Null, Rule, Shape, Table};

/// JSON Schema (draft 2020-12) of a playbook.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let root = object(&grammar::PLAYBOOK, &mut definitions);
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("refleet playbook, version 1"));
    if let Value::Object(root) = root {
        schema.extend(root);
    }
    definitions.sort_keys();
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// Inserts are read before anything else, so they may stand for any value.
const INSERT: &str = r"\{\{.*\}\}";

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|{INSERT}") })
}

fn shape(shape: Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Text | Shape::Template => json!({ "type": ["string", "number"], "minLength": 1 }),
        Shape::Id => json!({ "type": ["string", "number"], "pattern": format!(r"^\S+$|{INSERT}") }),
        Shape::EnvName => text("^[A-Za-z_][A-Za-z0-9_]*$"),
        Shape::Tag => text(r"^([^\s=:]+|[^\s=]([^=]*[^\s=])?=\S(.*\S)?)$"),
        Shape::Whole(low, high) => {
            let mut number = json!({ "type": "integer", "minimum": low });
            if high < u64::from(u32::MAX) {
                number["maximum"] = json!(high);
            }
            json!({ "anyOf": [number, text("^[0-9]+$")] })
        }
        Shape::Above(low) => {
            json!({ "anyOf": [{ "type": "number", "exclusiveMinimum": low }, text(r"^[0-9.]+$")] })
        }
        Shape::Flag => json!({ "anyOf": [{ "type": "boolean" }, text("^(true|false)$")] }),
        Shape::Duration => text("^[0-9]+(ms|s|m|h)$"),
        Shape::Rate => text("^[0-9]+/(s|m)$"),
        Shape::Share => text("^([0-9]{1,2}|100)%$"),
        Shape::Size => json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            text("^([1-9][0-9]*|([1-9][0-9]?|100)%)$"),
        ] }),
        Shape::Plain => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Word(words) => word(words),
        Shape::Map(table) => define(table, definitions),
        Shape::WordOr(words, table) => {
            json!({ "anyOf": [word(words), define(table, definitions)] })
        }
        Shape::TextOr(table) => {
            json!({ "anyOf": [self::shape(Shape::Text, definitions), define(table, definitions)] })
        }
        Shape::Named(item) => json!({
            "type": "object",
            "propertyNames": { "pattern": r"^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$" },
            "additionalProperties": self::shape(*item, definitions),
        }),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(*item, definitions) }),
        Shape::Some(item) => some(*item, definitions),
        Shape::SomeOr(item, table) => {
            json!({ "anyOf": [some(*item, definitions), define(table, definitions)] })
        }
        Shape::OneOrMany(item) => {
            json!({ "anyOf": [self::shape(*item, definitions), some(*item, definitions)] })
        }
    }
}

fn some(item: Shape, definitions: &mut Map<String, Value>) -> Value {
    json!({ "type": "array", "minItems": 1, "items": shape(item, definitions) })
}

fn word(words: &[&str]) -> Value {
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": INSERT }] })
}

/// A reference to the definition of a table, which is made at its first use.
fn define(table: &'static Table, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(table.name) {
        definitions.insert(table.name.to_owned(), Value::Null);
        let made = object(table, definitions);
        definitions.insert(table.name.to_owned(), made);
    }
    json!({ "$ref": format!("#/$defs/{}", table.name) })
}

fn object(table: &'static Table, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in table.keys {
        let mut value = shape(key.shape, definitions);
        if key.needed == Needed::Yes && matches!(key.shape, Shape::Named(_)) {
            value["minProperties"] = json!(1);
        }
        if key.null == Null::Removes {
            value = json!({ "anyOf": [value, { "type": "null" }] });
        }
        value["description"] = json!(key.doc);
        properties.insert(key.name.to_owned(), value);
    }
    let required: Vec<&str> =
        table.keys.iter().filter(|key| key.needed == Needed::Yes).map(|key| key.name).collect();
    let mut made = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    // The fleets of a playbook may all be in files that it includes.
    let required: Vec<&str> = if table.name == "playbook" {
        made["anyOf"] = json!([{ "required": ["fleets"] }, { "required": ["include"] }]);
        required.into_iter().filter(|name| *name != "fleets").collect()
    } else {
        required
    };
    if !required.is_empty() {
        made["required"] = json!(required);
    }
    let one_of = |names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({ "required": [name] })).collect()
    };
    let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    match table.rule {
        Rule::Any => {}
        Rule::SomeCondition => {
            let conditions: Vec<&str> =
                names.into_iter().filter(|name| !grammar::NO_CONDITIONS.contains(name)).collect();
            made["anyOf"] = json!(one_of(&conditions));
        }
        Rule::OneOf => made["oneOf"] = json!(one_of(&names)),
        Rule::OneAction => made["oneOf"] = json!(one_of(grammar::STEP_ACTIONS)),
    }
    made
}
