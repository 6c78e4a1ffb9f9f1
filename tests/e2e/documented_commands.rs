//! The commands of the documentation work as they are written.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::documentation::document;
use crate::support::{Jeton, jeton_binary, repository, run_to_end};

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

/// An empty directory that goes with its value.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("jeton-{name}-{}", std::process::id()));
        std::fs::create_dir(&home).unwrap();
        Self(home)
    }

    /// Runs commands in it, and gives what they print.
    fn run(&self, commands: &str, environment: &[(&str, &str)]) -> String {
        let output = Command::new("bash")
            .args(["-euc", commands])
            .current_dir(&self.0)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", directory_of(jeton_binary())),
            )
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `jeton dev`, as somebody starts it here.
    fn dev(&self) -> Jeton {
        let data_dir = self.0.join("jeton-data");
        let data_dir = data_dir.to_str().unwrap();
        let arguments = ["dev", "--listen", "127.0.0.1:0", "--data-dir", data_dir];
        let server = Jeton::start(&arguments, &[]);
        server.wait_for_output("dev-credentials.json");
        server
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs commands in an empty directory, and gives what they print.
fn run_as_written(name: &str, commands: &str) -> String {
    Home::new(name).run(commands, &[])
}

/// All commands of a document.
fn commands_of(document: &str) -> String {
    let blocks = document.split("```sh\n").skip(1);
    blocks.filter_map(|it| it.split("```").next()).collect()
}

/// What the commands of a document answer beside a running `jeton dev`, tokens as the document shows them.
fn answers_of(name: &str) -> Vec<Value> {
    let home = Home::new(name);
    let server = home.dev();
    let commands = commands_of(&document(name));
    assert!(commands.contains("curl ") && commands.contains("http://127.0.0.1:8080"));
    let commands = commands.replace("http://127.0.0.1:8080", &server.url());
    let printed = home.run(&commands, &[]);
    let answers = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
    let mut answers: Vec<Value> = answers.map(Result::unwrap).collect();
    for answer in &mut answers {
        for token in ["token", "access_token"] {
            if answer[token]
                .as_str()
                .is_some_and(|it| it.split('.').count() == 3)
            {
                answer[token] = json!("eyJ…");
            }
        }
    }
    answers
}

#[test]
fn a_user_and_a_token_are_exchanged_as_written() {
    let answers = answers_of("oauth.md");
    assert_eq!(answers.len(), 2, "{answers:?}");
    let shown: Value = serde_json::from_str(fenced(&document("oauth.md"), "json")).unwrap();
    assert_eq!(answers[0], shown);
    let details = &answers[1]["authorization_details"][0];
    assert_eq!(
        (&answers[1]["expires_in"], &answers[1]["access_token"]),
        (&json!(60), &json!("eyJ…"))
    );
    assert_eq!(
        details["attributes"],
        json!({ "tenant_id": "t-1", "regions": ["eu"] })
    );
    assert_eq!(details["roles"], json!(["viewer"]));
}

#[test]
fn a_backend_for_toucan_gets_the_answer_as_written() {
    let shown: Value = serde_json::from_str(fenced(&document("toucan.md"), "json")).unwrap();
    assert_eq!(answers_of("toucan.md"), [shown]);
}

#[test]
fn audiences_are_managed_as_written() {
    let home = Home::new("audiences.md");
    let server = home.dev();
    let credentials = std::fs::read(home.0.join("jeton-data/dev-credentials.json")).unwrap();
    let credentials: Value = serde_json::from_slice(&credentials).unwrap();
    let url = server.url();
    let environment = [
        ("JETON_URL", url.as_str()),
        ("JETON_API_KEY", credentials["api_key"].as_str().unwrap()),
    ];
    let commands = commands_of(&document("audiences.md"));
    assert!(commands.matches("jeton ").count() > 10, "{commands}");
    home.run(&commands, &environment);
    let listed = home.run("jeton audience list --output json", &environment);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap());
    let names: Vec<&str> = names.collect();
    assert_eq!(
        names,
        ["analytics", "default", "guests", "hasura", "hidden"]
    );
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
    let blocks = commands_of(&text);
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
