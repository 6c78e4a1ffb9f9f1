//! What the OpenAPI document says of answers holds for every answer that a test gets.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, repository};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = repository().join("openapi/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// Schemas take their time to compile.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Checks an answer of the server: its status is documented for the operation, and so is the code of a problem; a body in
/// JSON is one of its schema. Requests to anything but an operation may be answered in any way.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else {
        return;
    };
    let place = format!("{method} {template}, {}", answer.status);
    // A request that is no HTTP as far as the server is concerned never gets to the operation.
    if answer.status == 431 {
        return;
    }
    let documented = &operation["responses"][answer.status.to_string()];
    assert!(
        documented.is_object(),
        "{place} is not documented: {answer:?}"
    );
    let media_type = answer.header("content-type").split(';').next().unwrap();
    if answer.text.is_empty() {
        return;
    }
    let content = &documented["content"][media_type];
    assert!(
        content.is_object(),
        "{place}: {media_type} is not documented"
    );
    if !media_type.ends_with("json") {
        return;
    }
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    let key = format!("{place} {media_type}");
    let faults = faults(&key, &content["schema"], &body);
    assert!(faults.is_empty(), "{key}: {faults:?} in {body}");
    if media_type == "application/problem+json" {
        let code = body["code"].as_str().unwrap();
        assert!(
            content["examples"][code].is_object(),
            "{place}: {code} is not documented"
        );
    }
}

/// The operation of a request, and the path that the document has for it.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let method = method.as_str().to_lowercase();
    let mut fitting: Vec<_> = paths
        .iter()
        .filter(|(template, item)| fits(template, path) && item.get(&method).is_some())
        .collect();
    // A path of fixed words is meant rather than one with an identifier in the same place.
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    let (template, item) = fitting.first()?;
    Some((template, &item[&method]))
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template
            .zip(path)
            .all(|(wanted, is)| wanted == is || (wanted.starts_with('{') && !is.is_empty()))
}

fn faults(key: &str, schema: &Value, body: &Value) -> Vec<String> {
    let compiled = || {
        let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        let options = jsonschema::options().should_validate_formats(true);
        Arc::new(options.build(&whole).unwrap())
    };
    let validator = {
        let mut validators = VALIDATORS.lock().unwrap();
        validators
            .entry(key.to_owned())
            .or_insert_with(compiled)
            .clone()
    };
    let faults = validator.iter_errors(body);
    faults
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect()
}
