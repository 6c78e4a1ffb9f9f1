//! The documentation keeps up with the code.

use std::path::Path;
use std::process::Command;

use crate::support::{jeton_binary, repository, run_to_end};
use policy::{FaultCode, ReasonCode};
use token_issuer::audiences::AudienceFault;

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
        "routes/audiences/mod.rs",
        "routes/audiences/signing_keys.rs",
        "routes/audiences/types.rs",
        "routes/audit_events.rs",
        "routes/authorize.rs",
        "routes/health.rs",
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

/// The text behind a fence of one kind.
fn fenced<'a>(text: &'a str, info: &str) -> &'a str {
    let fence = format!("```{info}\n");
    text.split(&fence)
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap()
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

/// The policy, the cases and the casbin file of docs/policy.md work, and so does the line for CI.
#[test]
fn the_documented_policy_passes_its_documented_cases() {
    let text = document("policy.md");
    let directory = std::env::temp_dir().join(format!("jeton-policy-md-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let written = |name: &str, info: &str| {
        let path = directory.join(name);
        std::fs::write(&path, fenced(&text, info)).unwrap();
        path.display().to_string()
    };
    let policy = written("policy.yaml", "yaml policy");
    let cases = written("cases.yaml", "yaml cases");
    let casbin = written("casbin.csv", "csv casbin");
    let tested = run_to_end(&["policy", "test", "-f", &policy, "--cases", &cases], &[]);
    let checked = run_to_end(&["policy", "check", "-f", &casbin], &[]);
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(tested.status.success(), "{tested:?}");
    assert!(checked.status.success(), "{checked:?}");
    let line = Command::new("bash")
        .args(["-euc", fenced(&text, "sh cases")])
        .current_dir(repository())
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", directory_of(jeton_binary())),
        )
        .output()
        .unwrap();
    assert!(line.status.success(), "{line:?}");
}

/// The commands of the README's production chapter, but for the server at their end.
fn way_to_production() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let chapter = readme.split("## Production").nth(1).unwrap();
    let commands = fenced(chapter, "sh").trim_end();
    commands.strip_suffix("jeton serve").unwrap().to_owned()
}

/// Runs commands in an empty directory, and gives what they print.
fn run_as_written(name: &str, commands: &str) -> String {
    let home = std::env::temp_dir().join(format!("jeton-{name}-{}", std::process::id()));
    std::fs::create_dir(&home).unwrap();
    let output = Command::new("bash")
        .args(["-euc", commands])
        .current_dir(&home)
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", directory_of(jeton_binary())),
        )
        .output()
        .unwrap();
    std::fs::remove_dir_all(&home).unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_way_to_production_works_as_written() {
    let printed = run_as_written("readme", &way_to_production());
    assert!(
        printed.lines().last().unwrap().starts_with("jtn_"),
        "{printed}"
    );
}

/// In place of each server stands a command that opens all keys, as a server does when it starts.
#[test]
fn the_change_of_the_master_secret_works_as_written() {
    let text = document("master-secret.md");
    let blocks = text.split("```sh\n").skip(1);
    let blocks: String = blocks.filter_map(|it| it.split("```").next()).collect();
    assert_eq!(blocks.matches("jeton serve\n").count(), 3);
    let commands = blocks.replace("jeton serve\n", "jeton organization get\n");
    let printed = run_as_written(
        "master-secret",
        &format!("{}{commands}", way_to_production()),
    );
    for line in fenced(&text, "text").lines() {
        assert!(printed.contains(line.trim()), "{line} in {printed}");
    }
    assert!(
        printed.contains("signing_keys       0         2"),
        "{printed}"
    );
    let listed = printed.lines().last().unwrap();
    assert!(listed.contains("backend"), "{printed}");
}

fn directory_of(file: &Path) -> &str {
    file.parent().unwrap().to_str().unwrap()
}
