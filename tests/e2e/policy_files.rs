//! `jeton policy` without a server: files, cases, differences, row rules as SQL.

use std::path::PathBuf;

use policy::PolicyDocument;
use serde_json::{Value, json};

use crate::cli_http::{Directory, Said, said};
use crate::support::{repository, run_to_end};

pub(crate) fn jeton(arguments: &[&str]) -> Said {
    said(run_to_end(arguments, &[]))
}

pub(crate) fn example(name: &str) -> String {
    let path: PathBuf = repository().join("examples/policy").join(name);
    path.display().to_string()
}

fn example_policy() -> Value {
    let text = std::fs::read_to_string(example("policy.yaml")).unwrap();
    json!(PolicyDocument::from_yaml(&text).unwrap())
}

#[test]
fn the_example_passes_its_cases() {
    let (policy, cases) = (example("policy.yaml"), example("cases.yaml"));
    assert_eq!(jeton(&["policy", "check", "-f", &policy]).0, 0);
    let (code, told, talk) = jeton(&["policy", "test", "-f", &policy, "--cases", &cases]);
    assert_eq!((code, talk.as_str()), (0, ""), "{told}");
    assert!(told.trim_end().ends_with(" passed, 0 failed"), "{told}");
    let test = [
        "policy", "test", "-f", &policy, "--cases", &cases, "-o", "json",
    ];
    let report: Value = serde_json::from_str(&jeton(&test).1).unwrap();
    assert_eq!(report["failed"], 0);
    assert!(report["passed"].as_u64().unwrap() >= 30);
}

/// One way to make the policy weaker, and where.
struct Weakening {
    what: String,
    document: Value,
}

/// Every list member and every limit of the policy, taken away or widened one at a time.
fn weakenings(document: &Value) -> Vec<Weakening> {
    let mut all = Vec::new();
    for section in ["roles", "attributes", "row_rules"] {
        for (index, thing) in document[section].as_array().unwrap().iter().enumerate() {
            let at = format!("/{section}/{index}");
            let name = thing["name"].as_str().unwrap();
            for (field, value) in thing.as_object().unwrap() {
                for (what, weaker) in weaker(section, field, value) {
                    let mut document = document.clone();
                    let thing = document.pointer_mut(&at).unwrap();
                    match weaker {
                        Some(value) => thing[field.as_str()] = value,
                        None => drop(thing.as_object_mut().unwrap().remove(field)),
                    }
                    let what = format!("{section}.{name}.{field}: {what}");
                    all.push(Weakening { what, document });
                }
            }
            if section == "row_rules" {
                let mut document = document.clone();
                document[section].as_array_mut().unwrap().remove(index);
                let what = format!("{section}.{name}: gone");
                all.push(Weakening { what, document });
            }
        }
    }
    all
}

/// What a field can become; `None`: it is left out.
fn weaker(section: &str, field: &str, value: &Value) -> Vec<(String, Option<Value>)> {
    let gone = || ("gone".to_owned(), None);
    match (section, field) {
        (_, "name" | "description" | "table" | "schema") => Vec::new(),
        ("roles", "permissions") => permissions(value),
        ("roles", "audiences") => vec![gone(), with(value, json!("analytics"), json!("partners"))],
        (_, "max_ttl_seconds" | "default_ttl_seconds" | "max_length" | "max_items") => {
            let more = value.as_u64().unwrap() + 1;
            vec![gone(), (format!("{more}"), Some(more.into()))]
        }
        ("attributes", "type") if value == "string" => Vec::new(),
        ("attributes", "type") => vec![("a string".into(), Some("string".into()))],
        ("attributes", "pattern") => vec![gone(), ("anything".into(), Some(".*".into()))],
        ("attributes", "from_role") => without_members(value),
        ("row_rules", "where") => conditions(value),
        ("row_rules", "roles") => {
            // Who inherits a role of the rule has the rule already.
            let others: &[&str] = match value[0].as_str().unwrap() {
                "viewer" => &["support"],
                "analyst" => &["viewer", "support"],
                _ => &["viewer", "analyst"],
            };
            others
                .iter()
                .map(|role| (format!("{role} too"), Some(json!([value[0], role]))))
                .collect()
        }
        _ if value.is_array() => {
            let mut all = without_items(value);
            all.push(gone());
            all
        }
        _ => vec![gone()],
    }
}

/// The list with one item more: the first of the two that it does not have.
fn with(value: &Value, first: Value, second: Value) -> (String, Option<Value>) {
    let mut items = value.as_array().unwrap().clone();
    let item = if items.contains(&first) {
        second
    } else {
        first
    };
    items.push(item.clone());
    (format!("{item} too"), Some(items.into()))
}

fn without_items(value: &Value) -> Vec<(String, Option<Value>)> {
    let items = value.as_array().unwrap();
    let each = (0..items.len()).map(|index| {
        let mut left = items.clone();
        let item = left.remove(index);
        (format!("without {item}"), Some(left.into()))
    });
    each.filter(|_| items.len() > 1).collect()
}

fn without_members(value: &Value) -> Vec<(String, Option<Value>)> {
    let members = value.as_object().unwrap();
    let each = members.keys().map(|name| {
        let mut left = members.clone();
        left.remove(name);
        (format!("without {name}"), Some(left.into()))
    });
    each.collect()
}

/// A denial goes; what is allowed goes for every action, and for everything of its kind.
fn permissions(value: &Value) -> Vec<(String, Option<Value>)> {
    let mut all = Vec::new();
    for (index, permission) in value.as_array().unwrap().iter().enumerate() {
        let changed = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut permissions = value.as_array().unwrap().clone();
            change(&mut permissions);
            Some(Value::from(permissions))
        };
        let mut note = |what: &str, weaker| all.push((format!("{permission} {what}"), weaker));
        note("gone", changed(&|it| drop(it.remove(index))));
        if permission["effect"] != "deny" {
            note(
                "for all resources",
                changed(&|it| it[index]["resource"] = "*".into()),
            );
            if permission["action"] != "*" {
                note(
                    "for all actions",
                    changed(&|it| it[index]["action"] = "*".into()),
                );
            }
        }
    }
    all
}

/// Each part of a group goes; then the same within.
fn conditions(value: &Value) -> Vec<(String, Option<Value>)> {
    let mut all = Vec::new();
    for group in ["all", "any"] {
        let Some(parts) = value[group].as_array() else {
            continue;
        };
        for (index, part) in parts.iter().enumerate() {
            let mut left = parts.clone();
            left.remove(index);
            all.push((format!("without {part}"), Some(json!({ group: left }))));
            for (what, weaker) in conditions(part) {
                let mut changed = parts.clone();
                changed[index] = weaker.unwrap();
                all.push((what, Some(json!({ group: changed }))));
            }
        }
    }
    all
}

/// The cases pin every rule: without any one of them, one fails. A change that leaves a policy with faults is not judged:
/// it could not be applied.
#[test]
fn the_example_s_cases_notice_every_weakening() {
    let directory = Directory::named(&format!("weakenings-{}", std::process::id()));
    let file = directory.path().join("policy.json");
    let path = file.to_str().unwrap();
    let document = example_policy();
    let all = weakenings(&document);
    let mut unnoticed = Vec::new();
    let mut judged = 0;
    for Weakening { what, document } in &all {
        std::fs::write(&file, document.to_string()).unwrap();
        if jeton(&["policy", "check", "-f", path]).0 != 0 {
            continue;
        }
        judged += 1;
        let cases = example("cases.yaml");
        let (code, told, talk) = jeton(&["policy", "test", "-f", path, "--cases", &cases]);
        assert_eq!(talk, "", "{what}");
        if code != 1 || !told.contains("FAIL  ") {
            unnoticed.push(what);
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
    assert!(judged >= 70, "{judged} of {}", all.len());
    // The unchanged policy, the same way.
    std::fs::write(&file, document.to_string()).unwrap();
    let cases = example("cases.yaml");
    assert_eq!(
        jeton(&["policy", "test", "-f", path, "--cases", &cases]).0,
        0
    );
}

#[test]
fn files_are_compared_without_a_server() {
    let directory = Directory::named(&format!("diff-{}", std::process::id()));
    let written = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = written(
        "old.yaml",
        "roles:\n  - {name: viewer, max_ttl_seconds: 900}\n  - {name: old}\n",
    );
    let new = written(
        "new.json",
        r#"{"roles": [{"name": "viewer", "max_ttl_seconds": 60}]}"#,
    );
    let csv = written("casbin.csv", "p, viewer, dashboard, view\n");
    let diff = |file: &str, format| {
        jeton(&[
            "policy",
            "diff",
            "-f",
            file,
            "--against",
            &old,
            "--output",
            format,
        ])
    };
    let expected = "- roles/old: {}\n~ roles/viewer/max_ttl_seconds: 900 -> 60\n";
    assert_eq!(diff(&new, "table"), (1, expected.into(), String::new()));
    assert_eq!(diff(&old, "table"), (0, String::new(), String::new()));
    let changes: Value = serde_json::from_str(&diff(&new, "json").1).unwrap();
    assert_eq!(
        changes["changes"][0],
        json!({"path": "roles/old", "before": {}})
    );
    let expected = "- roles/old: {}\n+ roles/viewer/permissions: [{\"action\":\"view\",\"resource\":\"dashboard\"}]\n";
    assert_eq!(diff(&csv, "table").1, expected);
}

#[test]
fn a_wrong_file_is_told_with_its_name_and_place() {
    let directory = Directory::named(&format!("wrong-{}", std::process::id()));
    let table = [
        (
            "a.yaml",
            "roles:\n  - name: a\n    inherit: [b]\n",
            "a.yaml: line 3, column 5, `roles[0].inherit`",
        ),
        (
            "a.yaml",
            "roles:\n  - {name: a, inherits: [b, c]}\n",
            "a.yaml has 2 fault(s):\n  role `a` inherits `b`",
        ),
        (
            "a.json",
            "{\"roles\": 1}",
            "a.json: line 1, column 11, `roles`",
        ),
        ("a.csv", "p, a, b, c, Deny\n", "a.csv: line 1: an effect is"),
        (
            "a.csv",
            "g, a, b\ng, b, a\n",
            "a.csv: line 1: role `a` inherits itself",
        ),
        ("a.txt", "", "ends in .yaml"),
    ];
    for (name, text, expected) in table {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (code, data, talk) = jeton(&["policy", "check", "-f", path.to_str().unwrap()]);
        assert_eq!((code, data.as_str()), (1, ""), "{name}: {talk}");
        assert!(talk.contains(expected), "{name}: {talk}");
    }
    let (code, _, talk) = jeton(&["policy", "check", "-f", "nowhere.yaml"]);
    assert!(
        code == 1 && talk.contains("cannot read nowhere.yaml"),
        "{talk}"
    );
    let cases = directory.path().join("cases.yaml");
    std::fs::write(&cases, "cases: []\n").unwrap();
    let policy = example("policy.yaml");
    let test = [
        "policy",
        "test",
        "-f",
        &policy,
        "--cases",
        cases.to_str().unwrap(),
    ];
    let (code, _, talk) = jeton(&test);
    assert!(
        code == 1 && talk.contains("cases.yaml: there are no cases"),
        "{talk}"
    );
}
