//! What the command line says of itself. Being an integration test of this package, it also makes cargo build the
//! binary that the end-to-end tests start.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

fn jeton(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_jeton"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn every_command_explains_itself() {
    let commands: &[&[&str]] = &[
        &[],
        &["dev"],
        &["serve"],
        &["migrate"],
        &["openapi"],
        &["config", "show"],
        &["organization", "create"],
        &["organization", "get"],
        &["organization", "show"],
        &["organization", "update"],
        &["login"],
        &["logout"],
        &["account"],
        &["apikey"],
        &["apikey", "create"],
        &["apikey", "get"],
        &["apikey", "update"],
        &["apikey", "rotate"],
        &["user", "create"],
        &["user", "delete"],
        &["service-account", "delete"],
        &["audit", "list"],
        &["policy", "test"],
        &["policy", "rls"],
        &["role", "list"],
        &["attribute", "delete"],
        &["audience", "create"],
        &["signing-key", "import"],
        &["scan"],
        &["reseal"],
        &["completions"],
    ];
    for command in commands {
        let (code, help) = jeton(&[*command, &["--help"]].concat());
        assert_eq!(code, Some(0), "{command:?}");
        assert!(help.contains("Usage: jeton"), "{command:?}: {help}");
    }
}

#[test]
fn help_shows_examples_where_there_is_something_to_type() {
    for command in [["apikey", "create"], ["organization", "create"]] {
        let (_, help) = jeton(&[command[0], command[1], "--help"]);
        assert!(help.contains("Example"), "{command:?}");
    }
}
