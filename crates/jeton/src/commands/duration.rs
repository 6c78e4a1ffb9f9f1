//! Durations and times as people type them.

use storage::Timestamp;

/// When something shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    AfterSeconds(u32),
    At(Timestamp),
}

impl Expiry {
    /// The point in time, counted from now.
    pub(crate) fn from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::AfterSeconds(seconds) => Some(now.plus_seconds(seconds.into())),
            Self::At(at) => Some(at),
        }
    }
}

/// How long something may last at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Longest {
    Unlimited,
    Seconds(u32),
}

/// Reads a number and `s`, `m`, `h` or `d`; a time as in RFC 3339; or `never` or `none`.
pub(crate) fn parse(text: &str) -> Result<Expiry, String> {
    if matches!(text, "never" | "none") {
        return Ok(Expiry::Never);
    }
    if let Ok(at) = Timestamp::parse(text) {
        return Ok(Expiry::At(at));
    }
    match positive(text) {
        Ok(seconds) => Ok(Expiry::AfterSeconds(seconds)),
        Err(fault) => Err(format!(
            "{fault}, a time such as 2030-01-31T00:00:00Z, or never"
        )),
    }
}

/// Reads a number and `s`, `m`, `h` or `d`, or `none`.
pub(crate) fn longest(text: &str) -> Result<Longest, String> {
    if text == "none" {
        return Ok(Longest::Unlimited);
    }
    match positive(text) {
        Ok(seconds) => Ok(Longest::Seconds(seconds)),
        Err(fault) => Err(format!("{fault}, or none")),
    }
}

fn positive(text: &str) -> Result<u32, String> {
    match seconds(text)? {
        0 => Err("between 1s and 49710d".to_owned()),
        seconds => Ok(seconds),
    }
}

/// Reads a number and `s`, `m`, `h` or `d`.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || "a number and s, m, h or d, such as 72h".to_owned();
    let split = text
        .len()
        .checked_sub(1)
        .filter(|at| text.is_char_boundary(*at))
        .ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .ok_or_else(|| "at most 49710d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: [&str; 10] = ["", "h", "72", "0d", "-1d", "1w", "99999d", "1 d", "é", "1é"];

    #[test]
    fn reads_what_people_type() {
        assert_eq!(parse("72h"), Ok(Expiry::AfterSeconds(259_200)));
        assert_eq!(parse("90d"), Ok(Expiry::AfterSeconds(7_776_000)));
        for endless in ["never", "none"] {
            assert_eq!(parse(endless), Ok(Expiry::Never));
        }
        let at = Timestamp::parse("2030-01-31T00:00:00Z").unwrap();
        assert_eq!(parse("2030-01-31T00:00:00Z"), Ok(Expiry::At(at)));
        for bad in WRONG
            .into_iter()
            .chain(["2030-01-31", "2030-02-30T00:00:00Z"])
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_typed_counts_from_now() {
        let now = Timestamp::from_unix_seconds(1_000);
        assert_eq!(Expiry::Never.from(now), None);
        let later = Timestamp::from_unix_seconds(1_060);
        assert_eq!(Expiry::AfterSeconds(60).from(now), Some(later));
        assert_eq!(Expiry::At(later).from(now), Some(later));
    }

    #[test]
    fn a_limit_is_a_duration_or_none() {
        assert_eq!(longest("90d"), Ok(Longest::Seconds(7_776_000)));
        assert_eq!(longest("none"), Ok(Longest::Unlimited));
        for bad in WRONG.into_iter().chain(["never", "2030-01-31T00:00:00Z"]) {
            assert!(longest(bad).is_err(), "{bad}");
        }
    }
}
