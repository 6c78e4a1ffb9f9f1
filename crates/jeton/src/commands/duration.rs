//! Durations as people type them.

/// When something shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    AfterSeconds(u32),
}

/// Reads a number and `s`, `m`, `h` or `d`, or `never`.
pub(crate) fn parse(text: &str) -> Result<Expiry, String> {
    if text == "never" {
        return Ok(Expiry::Never);
    }
    match seconds(text) {
        Ok(seconds) if seconds > 0 => Ok(Expiry::AfterSeconds(seconds)),
        Ok(_) => Err("between 1s and 49710d".to_owned()),
        Err(fault) => Err(format!("{fault}, or never")),
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

    #[test]
    fn reads_what_people_type() {
        assert_eq!(parse("72h"), Ok(Expiry::AfterSeconds(259_200)));
        assert_eq!(parse("90d"), Ok(Expiry::AfterSeconds(7_776_000)));
        assert_eq!(parse("never"), Ok(Expiry::Never));
        for bad in ["", "h", "72", "0d", "-1d", "1w", "99999d", "1 d", "é", "1é"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
