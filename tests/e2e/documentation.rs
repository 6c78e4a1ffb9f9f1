//! The documentation keeps up with the code. That its commands work: [`super::documented_commands`].

use policy::{FaultCode, ReasonCode};
use token_issuer::audiences::AudienceFault;

use crate::support::{repository, run_to_end};

pub(crate) fn document(name: &str) -> String {
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

#[test]
fn every_fault_of_a_policy_is_documented() {
    let errors = document("errors.md");
    for code in FaultCode::ALL {
        assert!(errors.contains(&format!("| `{code}` | ")), "{code}");
    }
}

#[test]
fn every_fault_of_an_audience_is_documented() {
    let errors = document("errors.md");
    for code in AudienceFault::CODES {
        assert!(errors.contains(&format!("| `{code}` | ")), "{code}");
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
        "errors/issuing.rs",
        "caller.rs",
        "json.rs",
        "query.rs",
        "middleware/mod.rs",
        "routes/api_keys/mod.rs",
        "routes/api_keys/revocation.rs",
        "routes/audiences/mod.rs",
        "routes/audiences/signing_keys.rs",
        "routes/audiences/types.rs",
        "routes/audit_events.rs",
        "routes/authorize.rs",
        "routes/health.rs",
        "routes/metrics.rs",
        "routes/organization.rs",
        "routes/policy/attributes.rs",
        "routes/policy/formats.rs",
        "routes/policy/mod.rs",
        "routes/policy/roles.rs",
        "routes/policy/row_filters.rs",
        "routes/principals.rs",
        "routes/renewals.rs",
        "routes/sessions.rs",
        "routes/service_accounts.rs",
        "routes/users.rs",
    ];
    let mut found = 0;
    for source in sources {
        let text =
            std::fs::read_to_string(repository().join("crates/http-api/src").join(source)).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let outside_attributes: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("#["))
            .collect();
        let literals = outside_attributes.split('"').skip(1).step_by(2);
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

#[test]
fn every_setting_is_documented() {
    let given = [
        ("JETON_DATABASE_URL", "sqlite:x"),
        ("JETON_MASTER_SECRET", "x"),
        ("JETON_MASTER_SECRET_FILE", "x"),
        ("JETON_PREVIOUS_MASTER_SECRET", "x"),
        ("JETON_PREVIOUS_MASTER_SECRET_FILE", "x"),
        ("JETON_PUBLIC_URL", "https://tokens.test"),
        ("JETON_METRICS__TOKEN", "x"),
        ("JETON_METRICS__TOKEN_FILE", "x"),
    ];
    let shown = run_to_end(&["config", "show"], &given);
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

#[test]
fn links_in_the_documentation_lead_somewhere() {
    for document in [
        "README.md",
        "docs/errors.md",
        "docs/configuration.md",
        "docs/console.md",
        "docs/cli.md",
        "docs/embedding.md",
        "docs/oauth.md",
        "docs/toucan.md",
        "docs/performance.md",
        "docs/claim-templates.md",
        "docs/master-secret.md",
        "docs/policy.md",
        "docs/audiences.md",
        "docs/sessions.md",
        "docs/metrics.md",
        "docs/openapi.md",
        "docs/sdk.md",
    ] {
        let path = repository().join(document);
        let text = std::fs::read_to_string(&path).unwrap();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap();
            let exists = target.starts_with("http") || path.parent().unwrap().join(file).exists();
            assert!(exists, "{target} in {document}");
        }
    }
}

/// The subcommands that a command's help lists.
fn subcommands(command: &[&str]) -> Vec<String> {
    let help = run_to_end(&[command, &["--help"]].concat(), &[]);
    let help = String::from_utf8(help.stdout).unwrap();
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let list = list.split("\n\n").next().unwrap();
    let names = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|it| *it != "help")
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn every_command_is_documented() {
    let documentation = document("cli.md");
    let mut found = 0;
    for first in subcommands(&[]) {
        let below = subcommands(&[&first]);
        // Within a row, commands after the first stand without `jeton` and the word before them.
        let rows = documentation.lines().filter(|line| line.starts_with('|'));
        let (own, others): (Vec<_>, Vec<_>) =
            rows.partition(|line| line.contains(&format!("`jeton {first}")));
        let short = format!("`{first}`");
        assert!(
            !own.is_empty() || others.iter().any(|row| row.contains(&short)),
            "{first}"
        );
        let named = |name: &str| {
            let ends = [" ", "`"].map(|end| format!("{name}{end}"));
            own.iter().any(|row| ends.iter().any(|it| row.contains(it)))
        };
        for second in &below {
            let full = format!("`jeton {first} {second}");
            assert!(named(&full) || named(&format!("`{second}")), "{full}");
            found += 1;
        }
        found += 1;
    }
    assert!(found > 40, "{found}");
}
