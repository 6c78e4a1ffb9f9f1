//! No step of an issuance takes more instructions than were accepted for it.

use std::process::Command;

#[test]
fn an_issuance_takes_no_more_instructions_than_accepted() {
    let bench = env!("CARGO_BIN_EXE_bench");
    let output = Command::new(bench).arg("count").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
