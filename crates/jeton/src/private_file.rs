//! Files that only their owner can read.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;

use crate::failure::Failure;

/// Makes a directory, and those above it, that only its owner can enter.
pub(crate) fn create_directory(directory: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700);
    builder
        .recursive(true)
        .create(directory)
        .with_context(|| format!("cannot create {}", directory.display()))
        .map_err(Failure::input)
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    replace(file, text)
        .with_context(|| format!("cannot write {}", file.display()))
        .map_err(Failure::input)
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let mut opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    std::fs::rename(&new, file)
}
