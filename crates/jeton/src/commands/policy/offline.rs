//! `check` and `test`: no server, no key.

use std::process::ExitCode;

use anyhow::anyhow;
use policy::PolicyCases;
use serde_json::json;

use super::DIFFERENT;
use super::file::{PolicyFile, read};
use crate::cli::{CheckArgs, TestArgs};
use crate::failure::Failure;
use crate::output::{self, Column, Format, plain};

const COLUMNS: &[Column] = &[
    Column::text("NAME", "/name"),
    Column::text("PASSED", "/passed"),
    Column::text("DIFFERENCES", "/differences"),
    Column::text("REASONS", "/reasons"),
];

pub(super) async fn check(args: &CheckArgs) -> Result<(), Failure> {
    let policy = PolicyFile::open(&args.file)?.compile().await?;
    let roles = policy.role_names().count();
    output::talk(&format!("nothing is wrong; roles: {roles}"));
    Ok(())
}

pub(super) async fn test(args: TestArgs) -> Result<ExitCode, Failure> {
    let policy = PolicyFile::open(&args.file)?.compile().await?;
    let file = plain(&args.cases.to_string_lossy());
    let cases = PolicyCases::from_yaml(&read(&args.cases)?)
        .map_err(|fault| Failure::input(anyhow!("{file}: {fault}")))?;
    let report = cases.run(&policy);
    match args.output {
        Format::Table => {
            let told = report.to_string();
            let lines: Vec<_> = told.lines().map(plain).collect();
            output::data(&lines.join("\n"));
        }
        Format::Csv => {
            let cases: Vec<_> = report.cases.iter().map(|case| json!(case)).collect();
            output::list(&cases, COLUMNS, Format::Csv)?;
        }
        other => output::entry(&json!(report), COLUMNS, other)?,
    }
    Ok(if report.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DIFFERENT)
    })
}
