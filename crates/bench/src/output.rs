//! The one place that writes to standard output and standard error.

use std::io::Write;

/// Data: the table, the limit program's address.
pub(crate) fn data(text: &str) {
    // A reader that went away is no error of ours.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Talk, for people.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
