//! `explain` and `simulate`: what a server would decide.

use serde_json::{Map, Value, json};

use super::file::{Kind, PolicyFile};
use super::of_server;
use crate::cli::{ExplainArgs, SimulateArgs};
use crate::client::Client;
use crate::commands::apikey::key_id;
use crate::commands::token::request;
use crate::failure::Failure;
use crate::output::{self, Column, Format, plain};
use policy::PolicyDocument;

const STEPS: &[Column] = &[
    Column::text("RULE", "/rule"),
    Column::text("OUTCOME", "/outcome"),
    Column::text("DETAIL", "/detail"),
];

const GROUPS: &[Column] = &[
    Column::text("OUTCOME", "/outcome"),
    Column::text("COUNT", "/count"),
    Column::text("API KEY", "/api_key_id"),
    Column::text("ROLES", "/roles"),
    Column::text("REASONS", "/reasons"),
    Column::text("ATTRIBUTES", "/attributes"),
    Column::text("EXAMPLE", "/example_session_id"),
];

pub(super) async fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let client = Client::configured()?;
    let body = question(&args)?;
    let answer = client
        .post(&["v1", "policy", "explain"], Some(body))
        .await?;
    match args.output {
        Format::Json | Format::Yaml => output::entry(&answer, STEPS, args.output),
        table => {
            output::list(list(&answer, "steps"), STEPS, table)?;
            output::talk(&verdict(&answer));
            Ok(())
        }
    }
}

/// What is asked, as the API takes it.
fn question(args: &ExplainArgs) -> Result<Value, Failure> {
    let mut body = request(&args.request)?;
    if let Some(key) = &args.key {
        body["api_key_id"] = key_id(key)?.to_string().into();
    }
    Ok(body)
}

fn verdict(answer: &Value) -> String {
    if answer["granted"] == true {
        return "granted".to_owned();
    }
    let reasons = list(answer, "reasons").iter().map(|reason| {
        let member = |name: &str| plain(reason[name].as_str().unwrap_or_default());
        format!(
            "\n  {} {}: {}",
            member("code"),
            member("pointer"),
            member("detail")
        )
    });
    format!("refused:{}", reasons.collect::<String>())
}

pub(super) async fn simulate(args: SimulateArgs) -> Result<(), Failure> {
    let client = Client::configured()?;
    let file = PolicyFile::open(&args.file)?;
    let base = match file.kind {
        Kind::CasbinCsv => of_server(&client).await?,
        Kind::Yaml | Kind::Json => PolicyDocument::default(),
    };
    let body = simulation(&args, &file.document(&base)?);
    let answer = client
        .post(&["v1", "policy", "simulate"], Some(body))
        .await?;
    match args.output {
        Format::Json | Format::Yaml => output::entry(&answer, GROUPS, args.output),
        table => {
            output::list(&groups(&answer), GROUPS, table)?;
            let count = |name: &str| answer[name].as_u64().unwrap_or_default();
            let [replayed, unchanged, undetermined] =
                ["replayed", "unchanged", "undetermined"].map(count);
            output::talk(&format!(
                "replayed: {replayed}, unchanged: {unchanged}, undetermined: {undetermined}"
            ));
            Ok(())
        }
    }
}

fn simulation(args: &SimulateArgs, document: &PolicyDocument) -> Value {
    let mut body = json!({ "policy": document, "last": args.last });
    if let Some(since) = args.since {
        body["since"] = json!(since);
    }
    body
}

/// The groups of all three kinds, each with the name of its kind.
fn groups(answer: &Value) -> Vec<Value> {
    let kinds = ["newly_refused", "newly_granted", "changed"].into_iter();
    let groups = kinds.flat_map(|kind| {
        list(answer, kind).iter().map(move |group| {
            let mut group: Map<String, Value> = group.as_object().cloned().unwrap_or_default();
            group.insert("outcome".into(), kind.into());
            Value::Object(group)
        })
    });
    groups.collect()
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, PolicyAction};

    fn typed(arguments: &[&str]) -> PolicyAction {
        let cli = Cli::try_parse_from([&["jeton", "policy"], arguments].concat()).unwrap();
        match cli.command {
            Command::Policy(command) => command.action,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_is_the_request_that_would_be_made() {
        let line = "explain --key jtn_0Hq3VbN8tRzA --user u --role a --role b --attribute t=1 \
                    --attribute n:=[1] --audience x --ttl 60";
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let PolicyAction::Explain(args) = typed(&arguments) else {
            panic!("{line}")
        };
        let expected = json!({
            "api_key_id": "key_0Hq3VbN8tRzA", "audience": "x", "ttl_seconds": 60,
            "user": {"id": "u", "roles": ["a", "b"], "attributes": {"t": "1", "n": [1]}},
        });
        assert_eq!(question(&args).unwrap(), expected);
    }

    #[test]
    fn a_simulation_sends_the_whole_policy() {
        let line = "simulate -f p.yaml --since 2026-01-31T00:00:00Z --last 5";
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let PolicyAction::Simulate(args) = typed(&arguments) else {
            panic!("{line}")
        };
        let body = simulation(&args, &PolicyDocument::default());
        assert_eq!(body["policy"], json!({"roles": [], "attributes": []}));
        assert_eq!(body["last"], 5);
        assert!(
            body["since"]
                .as_str()
                .unwrap()
                .starts_with("2026-01-31T00:00:00")
        );
    }

    #[test]
    fn answers_become_lines() {
        let answer = json!({
            "newly_refused": [{"api_key_id": "key_1", "count": 2}], "changed": [{"count": 1}],
        });
        let outcomes: Vec<_> = groups(&answer)
            .iter()
            .map(|it| it["outcome"].clone())
            .collect();
        assert_eq!(outcomes, ["newly_refused", "changed"]);
        let refused = json!({"granted": false, "reasons": [{"code": "a", "pointer": "/b", "detail": "C\u{1b}."}]});
        assert_eq!(verdict(&refused), "refused:\n  a /b: C\u{fffd}.");
        assert_eq!(verdict(&json!({"granted": true})), "granted");
    }
}
