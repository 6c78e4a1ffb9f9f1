//! A line of JSON for each event: its time, its level, its own fields, where in the code it comes from, and under `span`
//! what it was part of.
//!
//! Like `tracing-subscriber`'s own JSON in form. That one reads a span's fields back and writes them again for every line,
//! which took more time than signing a token; here they are written once, as a piece of JSON that lines then repeat.

use std::fmt::{self, Debug, Write};

use storage::{Clock, SystemClock};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes fields as members of an object that is open, each after a comma.
#[derive(Debug)]
pub(super) struct JsonFields;

/// Writes events.
#[derive(Debug)]
pub(super) struct JsonLines;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members {
            writer,
            written: Ok(()),
        };
        fields.record(&mut members);
        members.written
    }
}

impl<S, F> FormatEvent<S, F> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, F>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // What comes by way of the crate `log` carries its true place in fields.
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let (now, level) = (SystemClock.now(), metadata.level());
        write!(writer, r#"{{"timestamp":"{now}","level":"{level}""#)?;
        context.format_fields(writer.by_ref(), event)?;
        writer.write_str(r#","target":"#)?;
        quoted(&mut writer, metadata.target())?;
        if let Some(span) = context.lookup_current() {
            writer.write_str(r#","span":{"name":"#)?;
            quoted(&mut writer, span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<F>>() {
                writer.write_str(fields)?;
            }
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

/// Says that lines are missing.
pub(super) fn dropped(lines: u64) -> String {
    let now = SystemClock.now();
    format!(
        r#"{{"timestamp":"{now}","level":"WARN","message":"log lines were dropped: nobody read them","lines":{lines}}}"#
    )
}

struct Members<'writer> {
    writer: Writer<'writer>,
    written: fmt::Result,
}

impl Members<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.written.is_ok() && !field.name().starts_with("log.") {
            self.written = self.writer.write_char(',').and_then(|()| {
                quoted(&mut self.writer, field.name())?;
                self.writer.write_char(':')?;
                value(&mut self.writer)
            });
        }
    }
}

impl Visit for Members<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |writer| write!(writer, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has neither infinities nor NaN.
        if value.is_finite() {
            self.member(field, |writer| write!(writer, "{value}"));
        } else {
            self.member(field, |writer| quoted(writer, value));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |writer| quoted(writer, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |writer| quoted(writer, format_args!("{value:?}")));
    }
}

/// A JSON string of what is displayed.
fn quoted(writer: &mut Writer<'_>, value: impl fmt::Display) -> fmt::Result {
    writer.write_char('"')?;
    write!(Escaping(writer), "{value}")?;
    writer.write_char('"')
}

/// Passes text on as the inside of a JSON string ([RFC 8259, section 7](https://www.rfc-editor.org/rfc/rfc8259#section-7)).
struct Escaping<'a, 'writer>(&'a mut Writer<'writer>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_special = |char: char| matches!(char, '"' | '\\' | '\0'..='\x1f');
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            let (plain, special) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut characters = special.chars();
            match characters.next() {
                Some(quote @ ('"' | '\\')) => write!(self.0, "\\{quote}")?,
                Some('\n') => self.0.write_str("\\n")?,
                Some(control) => write!(self.0, "\\u{:04x}", u32::from(control))?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile, without its times.
    fn logged(work: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields)
            .event_format(JsonLines);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let read = text.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            storage::Timestamp::parse(time.as_str().unwrap()).unwrap();
            line
        });
        read.collect()
    }

    #[test]
    fn fields_keep_their_types_and_whatever_they_hold() {
        let hostile = "\"}\n\\ \u{0}\u{1f}é\u{1F600}";
        let lines = logged(|| {
            tracing::info!(
                yes = true,
                low = -1_i64,
                high = u64::MAX,
                part = 0.5,
                none = f64::NAN,
                hostile,
                shown = %hostile,
                debugged = ?Some(hostile),
                "what {hostile}",
            );
        });
        let expected = json!({
            "level": "INFO",
            "message": format!("what {hostile}"),
            "yes": true,
            "low": -1,
            "high": u64::MAX,
            "part": 0.5,
            "none": "NaN",
            "hostile": hostile,
            "shown": hostile,
            "debugged": format!("{:?}", Some(hostile)),
            "target": "jeton::logging::json::tests",
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn lines_repeat_what_is_known_of_their_span_by_then() {
        let lines = logged(|| {
            let span = tracing::info_span!("request", id = "a", key = tracing::field::Empty);
            let _inside = span.enter();
            tracing::warn!("early");
            span.record("key", "k\"");
            tracing::warn!("late");
        });
        let spans: Vec<_> = lines.iter().map(|line| &line["span"]).collect();
        assert_eq!(
            spans,
            [
                &json!({ "name": "request", "id": "a" }),
                &json!({ "name": "request", "id": "a", "key": "k\"" }),
            ]
        );
    }
}
