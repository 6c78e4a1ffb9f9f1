//! What texts from requests may consist of.

/// Nothing that a person would see: white space, and characters that only shape or join others.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

/// Control characters, and those that reorder or break a line: in a log or a table they would show another text than
/// the one that is compared.
pub(crate) fn misleads(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || reorders(c))
}

/// Bidirectional controls (Unicode TR 36, section 2.5) and the line and paragraph separators.
fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Soft hyphen, zero-width characters, joiners, fillers, the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_blank() {
        for text in [
            "",
            " \t",
            "\u{a0}",
            "\u{200b}",
            "\u{feff}\u{200d}",
            "\u{3164}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", "\u{200b}a", "👩‍🚀"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn what_shows_as_something_else_misleads() {
        for text in [
            "a\nb",
            "a\u{0}",
            "a\u{85}",
            "admin\u{202e}",
            "a\u{2028}b",
            "\u{2067}a",
        ] {
            assert!(misleads(text), "{text:?}");
        }
        assert!(!misleads("Ünïcode – 🦀 عربي"));
    }
}
