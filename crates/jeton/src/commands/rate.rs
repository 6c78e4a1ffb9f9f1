//! Rate limits as people type them.

use key_admin::rate_limit::RateLimit;

/// Reads `PER_MINUTE`, or `PER_MINUTE:BURST`. Without a burst, a whole minute's worth may come at once.
pub(crate) fn parse(text: &str) -> Result<RateLimit, String> {
    let (per_minute, burst) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| {
        let number: Option<u32> = text.parse().ok();
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| "uses per minute, or PER_MINUTE:BURST, each 1 or more".to_owned())
    };
    Ok(RateLimit {
        per_minute: number(per_minute)?,
        burst: number(burst)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_may_be_left_out() {
        let limit = |per_minute, burst| Ok(RateLimit { per_minute, burst });
        assert_eq!(parse("600"), limit(600, 600));
        assert_eq!(parse("600:10"), limit(600, 10));
        for bad in [
            "",
            "0",
            "1:0",
            "0:1",
            "1:",
            ":1",
            "-1",
            "1:2:3",
            "many",
            "4294967296",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
