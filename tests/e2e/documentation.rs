//! The documentation keeps up with the code.

use policy::ReasonCode;
use storage::Engine;

use crate::support::{App, repository, run_to_end};

fn document(name: &str) -> String {
    std::fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

#[test]
fn every_reason_for_a_refusal_is_documented_with_its_status() {
    let errors = document("errors.md");
    for code in ReasonCode::ALL {
        let status = match code.kind() {
            policy::ReasonKind::Invalid => 422,
            policy::ReasonKind::Forbidden => 403,
            policy::ReasonKind::Internal => 500,
        };
        assert!(
            errors.contains(&format!("| `{code}` | {status} |")),
            "{code}"
        );
    }
}

/// Codes are string literals behind `Problem::new`, `Problem::unavailable` and the like; this finds those in the
/// sources and asks for a line on each.
#[test]
fn every_code_in_the_sources_is_documented() {
    let errors = document("errors.md");
    let documented = |code: &str| errors.contains(&format!("| `{code}` | "));
    let sources = [
        "errors.rs",
        "caller.rs",
        "json.rs",
        "middleware/mod.rs",
        "routes/health.rs",
    ];
    let mut found = 0;
    for source in sources {
        let text =
            std::fs::read_to_string(repository().join("crates/http-api/src").join(source)).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let literals = text.split('"').skip(1).step_by(2);
        for literal in literals.filter(|it| it.contains('_') && is_code(it)) {
            assert!(documented(literal), "{literal} in {source}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

fn is_code(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && !matches!(text, "api_key" | "request_id" | "jtn_")
}

#[tokio::test]
async fn every_setting_is_documented_with_its_default() {
    let app = App::start(Engine::Sqlite).await;
    let shown = run_to_end(&["config", "show"], &app.environment());
    let shown = String::from_utf8(shown.stdout).unwrap();
    let documentation = document("configuration.md");
    let mut table = String::new();
    for line in shown.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_end_matches(']'));
            continue;
        }
        let name = line.split(" = ").next().unwrap();
        assert!(
            documentation.contains(&format!("| `{table}{name}` | ")),
            "{table}{name}"
        );
    }
}
