//! Programs that the suite installs. A missing one fails the test, with what to do.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where browser tests leave their pictures.
pub(crate) fn screenshots() -> PathBuf {
    let directory = repository().join("target/screenshots");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

pub(crate) fn python() -> PathBuf {
    required("JETON_TEST_PYTHON")
}

pub(crate) fn node() -> PathBuf {
    required("JETON_TEST_NODE")
}

pub(crate) fn chromium() -> PathBuf {
    required("JETON_TEST_CHROMIUM")
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests/run hands the tools over in the environment"
)]
fn required(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| {
        panic!("{variable} is not set: run `tests/run NAME`, which installs and sets it")
    })
    .into()
}
