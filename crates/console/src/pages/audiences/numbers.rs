//! Numbers and lines in fields.

/// A number that may be left out.
pub(super) fn whole(text: &str) -> Result<Option<u32>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{text} is no whole number.")),
    }
}

/// A number that has to be there.
pub(super) fn needed(text: &str) -> Result<u32, String> {
    whole(text)?.ok_or_else(|| "Say how many.".to_owned())
}

pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}
