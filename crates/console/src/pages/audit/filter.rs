//! What the form asks for, in words of the service and back.

use key_admin::audit::AuditFilter;
use serde::Deserialize;
use storage::Timestamp;
use url::form_urlencoded;

use crate::field::FormErrors;

/// No name in an event is longer, in bytes.
const MAX_BYTES: usize = 200;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The filter, as the address of the page holds it. Empty fields do not matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    /// In the action or the target.
    pub(super) search: String,
    /// The noun of the action.
    pub(super) noun: String,
    pub(super) actor_kind: String,
    pub(super) actor: String,
    pub(super) target: String,
    /// Days, UTC; both are part of what is shown.
    pub(super) from: String,
    pub(super) to: String,
    /// The last event of the page before.
    pub(super) before: String,
    /// Of an export.
    pub(super) format: String,
    /// What a redirect tells; the frame shows it.
    pub(super) done: String,
}

impl Asked {
    pub(super) fn filter(&self) -> Result<AuditFilter, FormErrors> {
        let texts = [
            ("search", &self.search),
            ("actor", &self.actor),
            ("target", &self.target),
        ];
        let unusable = |text: &str| text.len() > MAX_BYTES || text.contains('\0');
        if let Some((field, _)) = texts.iter().find(|(_, text)| unusable(text)) {
            return Err(FormErrors::of(field, "No event has such a text."));
        }
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let since = day("from", &self.from)?;
        let last = day("to", &self.to)?;
        if since.zip(last).is_some_and(|(since, last)| since > last) {
            return Err(FormErrors::of("to", "The last day is before the first."));
        }
        Ok(AuditFilter {
            action: None,
            noun: given(&self.noun),
            actor_kind: given(&self.actor_kind),
            actor_id: given(&self.actor),
            target_id: given(&self.target),
            text: given(&self.search),
            since,
            until: last.map(|day| day.plus_seconds(DAY_SECONDS)),
        })
    }

    pub(super) fn is_filtered(&self) -> bool {
        !self.pairs().is_empty()
    }

    /// The query of the same filter, with one thing more.
    pub(super) fn query(&self, (name, value): (&str, &str)) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        query.finish()
    }

    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let pairs = [
            ("search", self.search.as_str()),
            ("noun", &self.noun),
            ("actor_kind", &self.actor_kind),
            ("actor", &self.actor),
            ("target", &self.target),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        given.collect()
    }
}

/// The beginning of a day.
fn day(field: &str, text: &str) -> Result<Option<Timestamp>, FormErrors> {
    if text.is_empty() {
        return Ok(None);
    }
    let begin = Timestamp::parse(&format!("{text}T00:00:00Z"));
    begin
        .map(Some)
        .map_err(|_| FormErrors::of(field, "A day is written like 2026-01-31."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(from: &str, to: &str) -> Asked {
        Asked {
            from: from.to_owned(),
            to: to.to_owned(),
            ..Asked::default()
        }
    }

    #[test]
    fn both_days_are_part_of_what_is_shown() {
        let filter = between("2026-01-31", "2026-01-31").filter().unwrap();
        let time = |text| Some(Timestamp::parse(text).unwrap());
        assert_eq!(filter.since, time("2026-01-31T00:00:00Z"));
        assert_eq!(filter.until, time("2026-02-01T00:00:00Z"));
        for (from, to, field) in [
            ("2026-02-30", "", "from"),
            ("", "tomorrow", "to"),
            ("2026-02-02", "2026-02-01", "to"),
        ] {
            let errors = between(from, to).filter().unwrap_err();
            assert!(!errors.on(field).is_empty(), "{from} {to}");
        }
    }

    #[test]
    fn the_query_of_a_filter_reads_back() {
        let asked = Asked {
            search: "a&b=c é".to_owned(),
            noun: "api_key".to_owned(),
            ..Asked::default()
        };
        let query = asked.query(("format", "csv"));
        let read: Asked = serde_html_form::from_str(&query).unwrap();
        assert_eq!(
            (read.search, read.noun, read.format),
            (asked.search, asked.noun, "csv".into())
        );
        assert_eq!(Asked::default().query(("before", "")), "");
    }
}
