//! What each code means: the tables of `docs/errors.md`, so that it is written once.

use std::collections::HashMap;

/// The tables.
const TABLES: &str = include_str!("../../../../docs/errors.md");

/// Codes by their name and status.
pub(super) struct Catalogue(HashMap<(&'static str, u16), &'static str>);

impl Catalogue {
    /// Reads the rows that have a code, one status or more, and a meaning. Where there are two of one code and status, the
    /// first is the general one.
    pub(super) fn read() -> Self {
        let mut codes = HashMap::new();
        for row in TABLES.lines().filter_map(|line| line.strip_prefix("| `")) {
            let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
            let [code, statuses, meaning] = cells[..] else {
                continue;
            };
            let code = code.trim_end_matches('`');
            for status in statuses.split(", ").filter_map(|it| it.parse().ok()) {
                codes.entry((code, status)).or_insert(meaning);
            }
        }
        Self(codes)
    }

    /// When an answer of this status has this code; `None` where it never has.
    pub(super) fn meaning(&self, code: &str, status: u16) -> Option<&'static str> {
        self.0.get(&(code, status)).copied()
    }

    /// The same, and where it is listed for another status only, that: a renewal answers what is forbidden as 422.
    pub(super) fn meaning_anywhere(&self, code: &str, status: u16) -> &'static str {
        let any = || self.0.iter().find(|((it, _), _)| *it == code);
        self.meaning(code, status)
            .or_else(|| any().map(|(_, meaning)| *meaning))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_codes_are_read_and_other_tables_are_not() {
        let catalogue = Catalogue::read();
        assert_eq!(catalogue.meaning("roles_empty", 422), Some("no role"));
        assert_eq!(catalogue.meaning("roles_empty", 400), None);
        // OAuth's errors have more than one status.
        assert!(catalogue.meaning("temporarily_unavailable", 503).is_some());
        assert!(catalogue.meaning("role_not_in_token", 400).is_none());
    }
}
