use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::repository;

/// Gives a script of this repository a task, and reads its answer; both are JSON.
pub(crate) fn ask(program: &Path, script: &str, task: &Value) -> Value {
    let mut child = Command::new(program)
        .arg(repository().join(script))
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(task.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {:?}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}
