//! `export`, `diff` and `apply`: the policy as a whole.

use std::process::ExitCode;

use policy::{PolicyDiff, PolicyDocument};
use serde_json::{Value, json};

use super::file::PolicyFile;
use super::{DIFFERENT, of_server};
use crate::cli::{ApplyArgs, DiffArgs, ExportArgs, PolicyFormat};
use crate::client::{Client, Text};
use crate::failure::Failure;
use crate::output::{self, Column, Format, plain};

const CHANGES: &[Column] = &[
    Column::text("PATH", "/path"),
    Column::text("BEFORE", "/before"),
    Column::text("AFTER", "/after"),
];

pub(super) async fn export(args: &ExportArgs) -> Result<(), Failure> {
    let document = of_server(&Client::configured()?).await?;
    let text = match args.format {
        PolicyFormat::Yaml => document.to_commented_yaml(),
        PolicyFormat::Json => serde_json::to_string_pretty(&document).map_err(Failure::server)?,
    };
    output::data(text.trim_end());
    Ok(())
}

pub(super) async fn diff(args: DiffArgs) -> Result<ExitCode, Failure> {
    let file = PolicyFile::open(&args.file)?;
    let before = match &args.against {
        Some(other) => PolicyFile::open(other)?.document(&PolicyDocument::default())?,
        None => of_server(&Client::configured()?).await?,
    };
    let diff = PolicyDiff::between(&before, &file.document(&before)?);
    show(&json!({ "changes": diff }), args.output)?;
    Ok(if diff.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DIFFERENT)
    })
}

pub(super) async fn apply(args: ApplyArgs) -> Result<(), Failure> {
    let client = Client::configured()?;
    let (query, text) = request(&args)?;
    let edited = client.put(&["v1", "policy"], &query, text).await?;
    show(&edited, args.output)?;
    let version = &edited["version"];
    let changes = edited["changes"].as_array().map_or(0, Vec::len);
    output::talk(&if args.dry_run {
        format!("nothing is changed; changes: {changes}, version: {version}")
    } else {
        format!("changes: {changes}, version: {version}")
    });
    Ok(())
}

type Parameters = [(&'static str, Option<String>); 1];

/// The file goes as it is; what a line of it means is checked here first, for that needs no server.
fn request(args: &ApplyArgs) -> Result<(Parameters, Text), Failure> {
    let file = PolicyFile::open(&args.file)?;
    file.document(&PolicyDocument::default())?;
    let text = Text {
        media_type: file.kind.media_type(),
        body: file.text,
        if_match: args.if_version,
    };
    Ok(([("dry_run", args.dry_run.then(|| "true".to_owned()))], text))
}

fn show(changed: &Value, format: Format) -> Result<(), Failure> {
    let changes = changed["changes"].as_array().map_or(&[][..], Vec::as_slice);
    match format {
        Format::Table => {
            let lines: Vec<_> = changes.iter().map(line).collect();
            if !lines.is_empty() {
                output::data(&lines.join("\n"));
            }
            Ok(())
        }
        Format::Csv => output::list(changes, CHANGES, Format::Csv),
        other => output::entry(changed, CHANGES, other),
    }
}

/// As [`PolicyDiff`] writes it.
fn line(change: &Value) -> String {
    let path = change["path"].as_str().unwrap_or_default();
    plain(&match (change.get("before"), change.get("after")) {
        (None, Some(after)) => format!("+ {path}: {after}"),
        (Some(before), None) => format!("- {path}: {before}"),
        (Some(before), Some(after)) => format!("~ {path}: {before} -> {after}"),
        (None, None) => path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_as_the_policy_crate_writes_them() {
        let document = |json| serde_json::from_value::<PolicyDocument>(json).unwrap();
        let before =
            document(json!({"roles": [{"name": "a", "max_ttl_seconds": 9}, {"name": "b"}]}));
        let after =
            document(json!({"roles": [{"name": "a", "max_ttl_seconds": 8}, {"name": "c"}]}));
        let diff = PolicyDiff::between(&before, &after);
        let changes = json!(diff);
        let lines: Vec<_> = changes.as_array().unwrap().iter().map(line).collect();
        assert_eq!(lines.join("\n"), diff.to_string().trim_end());
    }

    #[test]
    fn a_file_goes_as_it_is() {
        let directory = std::env::temp_dir().join(format!("jeton-apply-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let files = [
            ("a.yaml", "roles: [] # none\n", "application/yaml"),
            ("a.JSON", "{}", "application/json"),
            ("a.csv", "p, a, b, c\n", "text/csv"),
        ];
        for (name, text, media_type) in files {
            let args = ApplyArgs {
                file: directory.join(name),
                if_version: Some(7),
                dry_run: name == "a.yaml",
                output: Format::Table,
            };
            std::fs::write(&args.file, text).unwrap();
            let (query, sent) = request(&args).unwrap();
            let expected = Text {
                media_type,
                body: text.to_owned(),
                if_match: Some(7),
            };
            assert_eq!(sent, expected);
            assert_eq!(query[0].1.is_some(), args.dry_run);
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
