//! What in a new document breaks the clients of an old one.
//!
//! Requests may be taken more widely and answers may say more, never the other way round. A client knows nothing of what
//! is new: it does not send it, and does not read it.

use std::collections::BTreeSet;

use serde_json::Value;

/// Who writes what a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    ByClients,
    ByServers,
}

/// Two documents on the way through their schemas.
struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    found: Vec<String>,
    /// Pairs of named schemas that have been compared already: schemas can hold themselves.
    seen: BTreeSet<String>,
}

/// What breaks clients, each with its place.
pub(super) fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison {
        old,
        new,
        found: Vec::new(),
        seen: BTreeSet::new(),
    };
    for (path, item) in members(&old["paths"]) {
        for (method, operation) in members(item) {
            let place = format!("{} {path}", method.to_uppercase());
            match new["paths"][path].get(method) {
                Some(other) => comparison.operation(&place, operation, other),
                None => comparison.found.push(format!("{place} is gone")),
            }
        }
    }
    comparison.found
}

fn members(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.as_object().into_iter().flatten()
}

fn items(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

impl Comparison<'_> {
    fn check(&mut self, broken: bool, place: &str, what: &str) {
        if broken {
            self.found.push(format!("{place} {what}"));
        }
    }

    fn operation(&mut self, place: &str, old: &Value, new: &Value) {
        let renamed = old["operationId"] != new["operationId"];
        self.check(renamed, place, "has another operationId");
        for way in items(&old["security"]) {
            let names = |way: &Value| -> Vec<String> {
                members(way).map(|(name, _)| name.clone()).collect()
            };
            let still = items(&new["security"])
                .iter()
                .any(|it| names(it) == names(way));
            self.check(!still, place, "lacks a way to authenticate");
        }
        self.parameters(place, old, new);
        let body = |of: &Value| of["requestBody"]["required"] == true;
        self.check(body(new) && !body(old), place, "requires a body");
        self.contents(
            &format!("{place} request"),
            &old["requestBody"],
            &new["requestBody"],
            Written::ByClients,
        );
        for (status, answer) in members(&old["responses"]) {
            if !status.starts_with('2') {
                continue;
            }
            let place = format!("{place} {status}");
            match new["responses"].get(status) {
                Some(other) => self.contents(&place, answer, other, Written::ByServers),
                None => self.found.push(format!("{place} is gone")),
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &Value, new: &Value) {
        let named = |all: &Value, like: &Value| {
            let same = |it: &&Value| it["name"] == like["name"] && it["in"] == like["in"];
            items(all).iter().find(same).cloned()
        };
        for parameter in items(&old["parameters"]) {
            let place = format!("{place} parameter {}", parameter["name"]);
            match named(&new["parameters"], parameter) {
                None => self.found.push(format!("{place} is gone")),
                Some(other) => {
                    self.schema(
                        &place,
                        &parameter["schema"],
                        &other["schema"],
                        Written::ByClients,
                    );
                }
            }
        }
        for parameter in items(&new["parameters"]) {
            let was = named(&old["parameters"], parameter).is_some_and(|it| it["required"] == true);
            let is = parameter["required"] == true;
            let place = format!("{place} parameter {}", parameter["name"]);
            self.check(is && !was, &place, "is required");
        }
    }

    fn contents(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        for (media_type, content) in members(&old["content"]) {
            match new["content"].get(media_type) {
                Some(other) => self.schema(place, &content["schema"], &other["schema"], written),
                None => self.found.push(format!("{place}: {media_type} is gone")),
            }
        }
    }

    fn schema(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        if let (Some(a), Some(b)) = (old["$ref"].as_str(), new["$ref"].as_str())
            && !self.seen.insert(format!("{a} {b} {written:?}"))
        {
            return;
        }
        let (old, new) = (
            resolved(self.old, old).clone(),
            resolved(self.new, new).clone(),
        );
        self.values(place, &old, &new, written);
        self.fields(place, &old, &new, written);
        if written == Written::ByClients {
            self.bounds(place, &old, &new);
        }
        for inner in ["items", "additionalProperties"] {
            if old[inner].is_object() && new[inner].is_object() {
                self.schema(
                    &format!("{place}/{inner}"),
                    &old[inner],
                    &new[inner],
                    written,
                );
            }
        }
        for choice in ["oneOf", "anyOf", "allOf"] {
            let (a, b) = (items(&old[choice]), items(&new[choice]));
            self.check(a.len() != b.len(), place, "has other alternatives");
            for (number, (a, b)) in a.iter().zip(b).enumerate() {
                self.schema(&format!("{place}/{choice}/{number}"), a, b, written);
            }
        }
    }

    /// Types and listed values: clients may not lose one, and servers not gain one.
    fn values(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        for (name, what) in [("type", "has another type"), ("enum", "has other values")] {
            let listed = |of: &Value| -> Option<BTreeSet<String>> {
                match &of[name] {
                    Value::Null => None,
                    Value::Array(all) => Some(all.iter().map(ToString::to_string).collect()),
                    one => Some(BTreeSet::from([one.to_string()])),
                }
            };
            let (wide, narrow) = match written {
                Written::ByClients => (listed(new), listed(old)),
                Written::ByServers => (listed(old), listed(new)),
            };
            // Without a list anything goes.
            let holds = match (&wide, &narrow) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(wide), Some(narrow)) => narrow.is_subset(wide),
            };
            self.check(!holds, place, what);
        }
    }

    fn fields(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        let required = |of: &Value, name: &str| items(&of["required"]).iter().any(|it| it == name);
        for (name, field) in members(&old["properties"]) {
            let place = format!("{place}/{name}");
            match new["properties"].get(name) {
                None => self.found.push(format!("{place} is gone")),
                Some(other) => self.schema(&place, field, other, written),
            }
            let optional = written == Written::ByServers
                && new["properties"].get(name).is_some()
                && required(old, name)
                && !required(new, name);
            self.check(optional, &place, "can be absent");
        }
        for name in items(&new["required"]).iter().filter_map(Value::as_str) {
            let demanded = written == Written::ByClients && !required(old, name);
            self.check(demanded, &format!("{place}/{name}"), "is required");
        }
    }

    fn bounds(&mut self, place: &str, old: &Value, new: &Value) {
        let number = |of: &Value, name: &str| of[name].as_f64();
        for name in ["maximum", "maxLength", "maxItems", "maxProperties"] {
            let was = number(old, name).unwrap_or(f64::INFINITY);
            let narrower = number(new, name).is_some_and(|is| is < was);
            self.check(narrower, place, &format!("has a smaller {name}"));
        }
        for name in ["minimum", "minLength", "minItems", "minProperties"] {
            let was = number(old, name).unwrap_or(f64::NEG_INFINITY);
            let narrower = number(new, name).is_some_and(|is| is > was);
            self.check(narrower, place, &format!("has a greater {name}"));
        }
        for name in ["pattern", "format"] {
            let other = !new[name].is_null() && new[name] != old[name];
            self.check(other, place, &format!("has another {name}"));
        }
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str();
    let pointer = name.and_then(|it| it.strip_prefix('#'));
    pointer
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(schema)
}
