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

/// How many fuzzed requests each endpoint of the exchange gets; more of them when somebody wants to look closer.
#[expect(
    clippy::disallowed_methods,
    reason = "it is asked for in the environment of tests/run"
)]
pub(crate) fn fuzzed_cases() -> usize {
    let wanted = std::env::var("JETON_FUZZ_CASES");
    wanted.map_or(50, |wanted| wanted.parse().unwrap())
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
