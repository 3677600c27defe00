//! Values held against a document of OpenAPI, by the few words of JSON Schema that ours use.

use serde_json::Value;

/// Reads a document.
pub(crate) fn document(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

/// What of `value` is not as `schema` says.
pub(crate) fn problems(api: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = api.pointer(reference.trim_start_matches('#')).expect("a reference");
        return problems(api, schema, value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Value| problems(api, choice, value, place).is_empty();
        return match choices.iter().filter(fits).count() {
            1 => Vec::new(),
            count => vec![format!("{place}: fits {count} of the choices")],
        };
    }
    if !has_type(&schema["type"], value) {
        return vec![format!("{place}: {value}")];
    }
    let mut found = Vec::new();
    let listed = schema["enum"].as_array().is_none_or(|values| values.contains(value));
    let length = value.as_str().map_or(0, |text| text.chars().count() as u64);
    let short = schema["maxLength"].as_u64().is_none_or(|most| length <= most);
    let items = value.as_array().map_or(0, |items| items.len() as u64);
    let few = schema["maxItems"].as_u64().is_none_or(|most| items <= most);
    if !listed || !short || !few {
        found.push(format!("{place}: {value}"));
    }
    for item in value.as_array().into_iter().flatten() {
        found.extend(problems(api, &schema["items"], item, &format!("{place}[]")));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().expect("a name")).is_none() {
            found.push(format!("{place}: no {name}"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match &schema["properties"][name] {
            Value::Null => found.push(format!("{place}: unknown {name}")),
            schema => found.extend(problems(api, schema, value, &format!("{place}.{name}"))),
        }
    }
    found
}

fn has_type(named: &Value, value: &Value) -> bool {
    match named {
        Value::Array(several) => several.iter().any(|one| has_type(one, value)),
        one => match one.as_str().expect("a type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "boolean" => value.is_boolean(),
            other => panic!("type {other}"),
        },
    }
}
