//! Owns the walk through a JSON schema.

use super::{evidence::Evidence, name, words};
use regex::Regex;
use serde_json::{Map, Number, Value, json};

/// Deepest nesting that is filled; a schema that contains itself goes on for ever.
const DEEPEST: usize = 12;
/// Longest array that is filled unless more is asked for.
const MOST_ITEMS: usize = 3;
/// Texts for patterns that nothing of the evidence fits.
const CANDIDATES: [&str; 10] = [
    "en",
    "EUR",
    "2026-01-31",
    "0",
    "1.00",
    "a",
    "A-1",
    "a1",
    "a@b.example",
    "00000000-0000-4000-8000-000000000000",
];

/// A value of `schema` from what `evidence` holds.
pub(crate) fn fill(schema: &Value, evidence: &Evidence) -> Value {
    Filling { root: schema, evidence }.value(schema, "", 0)
}

struct Filling<'a> {
    root: &'a Value,
    evidence: &'a Evidence,
}

impl Filling<'_> {
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(target) = self.referred(schema) {
            return self.value(target, name, depth + 1);
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return self.choose(values, name);
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            return self.all_of(parts, name, depth);
        }
        let any = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
        if let Some(variants) = any {
            return self.any_of(variants, name, depth);
        }
        match kinds(schema)[..] {
            ["object", ..] => self.object(schema, depth),
            ["array", ..] => self.array(schema, name, depth),
            ["boolean", ..] => Value::Bool(false),
            ["integer", ..] => number(schema, name, true),
            ["number", ..] => number(schema, name, false),
            ["null"] => Value::Null,
            _ => self.string(schema, name),
        }
    }

    fn choose(&self, values: &[Value], name: &str) -> Value {
        let lower = &self.evidence.lower;
        let obeyed = || words::ordered(values, name, lower);
        let obeyed = self.evidence.obeys().then(obeyed).flatten();
        obeyed.or_else(|| words::choose(values, lower)).cloned().unwrap_or_default()
    }

    fn referred(&self, schema: &Value) -> Option<&Value> {
        self.root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
    }

    /// The members of all parts together.
    fn all_of(&self, parts: &[Value], name: &str, depth: usize) -> Value {
        let mut members = Map::new();
        for part in parts {
            let value = self.value(part, name, depth + 1);
            let Value::Object(more) = value else { return value };
            members.extend(more);
        }
        Value::Object(members)
    }

    /// The first variant that is not null, unless the text has nothing for it.
    fn any_of(&self, variants: &[Value], name: &str, depth: usize) -> Value {
        let is_null = |variant: &&Value| kinds(variant) == ["null"];
        let Some(variant) = variants.iter().find(|variant| !is_null(variant)) else { return Value::Null };
        let nullable = variants.iter().any(|variant| is_null(&variant));
        let plain = kinds(variant) == ["string"] && variant.get("enum").is_none();
        if nullable && plain && name::strings(name, self.evidence).is_none() {
            return Value::Null;
        }
        self.value(variant, name, depth + 1)
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let members = properties.into_iter().flatten();
        Value::Object(
            members.map(|(name, schema)| (name.clone(), self.value(schema, name, depth + 1))).collect(),
        )
    }

    fn array(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(MOST_ITEMS));
        let most = most.min(MOST_ITEMS.max(least));
        let item = schema.get("items").unwrap_or(&Value::Null);
        let item = self.referred(item).unwrap_or(item);
        let mut items = self.items(item, name, depth);
        items.truncate(most);
        while items.len() < least {
            items.push(self.value(item, name, depth + 1));
        }
        Value::Array(items)
    }

    /// Values of an array: those of an enumeration that the text speaks of, the strings it has; an object if the text has
    /// something for its first member.
    fn items(&self, item: &Value, name: &str, depth: usize) -> Vec<Value> {
        if let Some(values) = item.get("enum").and_then(Value::as_array) {
            let spoken = values.iter().filter(|value| words::spoken_of(value, &self.evidence.lower) > 0);
            return spoken.cloned().collect();
        }
        match kinds(item)[..] {
            ["object", ..] => {
                let held = name::strings(name, self.evidence).is_some();
                if held { vec![self.value(item, name, depth + 1)] } else { Vec::new() }
            }
            ["string"] if item.get("pattern").or(item.get("format")).is_none() => {
                let found = name::strings(name, self.evidence).unwrap_or_default();
                found
                    .into_iter()
                    .map(|text| Value::String(bounded(item, self.evidence.obeyed(text))))
                    .collect()
            }
            _ => vec![self.value(item, name, depth + 1)],
        }
    }

    fn string(&self, schema: &Value, name: &str) -> Value {
        let found = name::strings(name, self.evidence);
        if kinds(schema).contains(&"null") && found.is_none() {
            return Value::Null;
        }
        let found = found.and_then(|found| found.into_iter().next());
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            return self.fitting(pattern, found);
        }
        if let Some(format) = schema.get("format").and_then(Value::as_str) {
            return json!(formatted(format, found));
        }
        Value::String(bounded(schema, self.evidence.obeyed(found.unwrap_or_else(|| "none".to_owned()))))
    }

    /// The first text that fits a pattern.
    fn fitting(&self, pattern: &str, found: Option<String>) -> Value {
        let Ok(pattern) = Regex::new(pattern) else { return json!(found.unwrap_or_default()) };
        let tokens = found.iter().chain(&self.evidence.tokens).map(String::as_str);
        let fits = tokens.chain(CANDIDATES).find(|text| pattern.is_match(text));
        json!(fits.unwrap_or_default())
    }
}

/// The types a schema allows, null last.
fn kinds(schema: &Value) -> Vec<&str> {
    let mut kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ => Vec::new(),
    };
    kinds.sort_by_key(|kind| *kind == "null");
    kinds
}

/// A number within the bounds: fractions near their upper end, whole numbers in their middle.
fn number(schema: &Value, name: &str, whole: bool) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let fraction = ["confidence", "score", "probability"].iter().any(|part| name.contains(part)) && !whole;
    let above = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
    let least = above.unwrap_or(if fraction { 0.0 } else { 1.0 });
    let most = bound("maximum").unwrap_or(if fraction { 1.0 } else { least.max(0.0) + 8.0 });
    let share = if fraction { 0.8 } else { 0.5 };
    let value = least + (most - least) * share;
    #[expect(clippy::cast_possible_truncation, reason = "a bound of a schema, rounded down")]
    let number = if whole { Some(Number::from(value.floor() as i64)) } else { Number::from_f64(value) };
    number.map_or(Value::Null, Value::Number)
}

fn formatted(format: &str, found: Option<String>) -> String {
    let (fits, fallback): (fn(&str) -> bool, &str) = match format {
        "date" => (super::evidence::is_date, "2026-01-31"),
        "email" => (|text| text.contains('@'), "nobody@example.org"),
        "uri" => (super::evidence::is_link, "https://example.org"),
        "date-time" => (|_| false, "2026-01-31T12:00:00Z"),
        "uuid" => (|_| false, "00000000-0000-4000-8000-000000000000"),
        _ => (|_| true, "none"),
    };
    found.filter(|text| fits(text)).unwrap_or_else(|| fallback.to_owned())
}

/// `text`, not longer and not shorter than the schema allows.
fn bounded(schema: &Value, text: String) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let least = bound("minLength").unwrap_or(0);
    let missing = least.saturating_sub(text.chars().count());
    let text = text + &".".repeat(missing);
    bound("maxLength").map_or_else(|| text.clone(), |most| text.chars().take(most).collect())
}
