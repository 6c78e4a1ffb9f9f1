//! Times as people read them: how long ago, and exactly when on hover.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use storage::Timestamp;

/// A point in time, seen from another.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<time datetime="{{ exact }}" title="{{ exact }}">{{ relative }}</time>"#,
    ext = "html"
)]
pub(crate) struct When {
    /// RFC 3339, UTC, to the second.
    pub(crate) exact: String,
    relative: String,
}

/// Its template has escaped what is not ours.
impl HtmlSafe for When {}

impl When {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            exact: at.truncated_to_seconds().to_string(),
            relative: relative(at.unix_seconds() - now.unix_seconds()),
        }
    }
}

fn relative(seconds: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let distance = seconds.abs();
    let Some((length, unit)) = UNITS.iter().find(|(length, _)| distance >= *length) else {
        return "now".into();
    };
    let count = distance / length;
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

/// A length of time in words, exact: `90 days`, `1 hour`, `75 seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.0 {
            seconds if seconds >= 86_400 && seconds % 86_400 == 0 => (seconds / 86_400, "day"),
            seconds if seconds >= 3_600 && seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
            seconds if seconds >= 60 && seconds % 60 == 0 => (seconds / 60, "minute"),
            seconds => (seconds, "second"),
        };
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_in_the_largest_unit() {
        for (seconds, expected) in [
            (0, "now"),
            (-1, "1 second ago"),
            (59, "in 59 seconds"),
            (-60, "1 minute ago"),
            (7_200, "in 2 hours"),
            (-86_400 * 29, "29 days ago"),
            (86_400 * 90, "in 3 months"),
            (-86_400 * 800, "2 years ago"),
        ] {
            assert_eq!(relative(seconds), expected);
        }
    }

    #[test]
    fn lengths_are_exact() {
        for (seconds, expected) in [
            (900, "15 minutes"),
            (901, "901 seconds"),
            (3_600, "1 hour"),
            (86_400 * 90, "90 days"),
        ] {
            assert_eq!(Seconds(seconds).to_string(), expected);
        }
    }

    #[test]
    fn the_exact_time_is_there_for_programs_and_on_hover() {
        let at = Timestamp::from_unix_micros(1_800_000_000_123_456);
        let shown = When::new(at, at.plus_seconds(90)).to_string();
        assert_eq!(
            shown,
            "<time datetime=\"2027-01-15T08:00:00Z\" title=\"2027-01-15T08:00:00Z\">1 minute ago</time>"
        );
    }
}
