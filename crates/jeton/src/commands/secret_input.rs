//! Secrets that are typed or piped in: never from the command line, where every process of the machine can read them.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, anyhow};
use secrecy::SecretString;

use crate::config::read_secret_file;
use crate::failure::Failure;

/// More is no secret, but a file taken by mistake.
const LONGEST: u64 = 64 * 1024;

/// From a file, with `-` from standard input, without a file from a prompt.
pub(crate) fn read(file: Option<&Path>, prompt: &str, flag: &str) -> Result<SecretString, Failure> {
    match file {
        Some(file) if file == Path::new("-") => {
            let mut text = String::new();
            std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut text)
                .map_err(Failure::input)?;
            Ok(text.trim_end_matches(['\r', '\n']).into())
        }
        Some(file) => read_secret_file(file).map_err(|fault| Failure::input(anyhow!(fault))),
        None if std::io::stdin().is_terminal() => rpassword::prompt_password(prompt)
            .map(SecretString::from)
            .context("cannot read from the terminal")
            .map_err(Failure::input),
        None => Err(Failure::input(anyhow!(
            "this is no terminal to ask on: pass {flag} FILE, or {flag} - for standard input"
        ))),
    }
}
