//! The audit trail as a file: CSV or JSON Lines, newest first, page by page and never all of it in memory.
//!
//! Spreadsheets take a field that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula. Such a field
//! gets an apostrophe in front ([OWASP, CSV injection](https://owasp.org/www-community/attacks/CSV_Injection)).

use storage::{AuditEventId, Database, OrganizationId, StorageError};

use super::{AuditEvent, AuditFilter, store};

/// Events that are read at once.
const PAGE: u32 = 500;
const HEADER: &str =
    "at,action,actor_kind,actor_id,target_kind,target_id,client_address,request_id,detail,id\r\n";
const FORMULAS: &[char] = &['=', '+', '-', '@', '\t', '\r'];

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), with a header.
    Csv,
    /// One JSON object in each line, as `/v1/audit-events` shows an event.
    JsonLines,
}

/// An export that is under way.
#[derive(Debug)]
pub struct AuditExport {
    database: Database,
    organization: OrganizationId,
    filter: AuditFilter,
    format: ExportFormat,
    position: Position,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    Start,
    After(AuditEventId),
    End,
}

impl AuditExport {
    /// Of the organization's events that the filter lets through; nothing is read yet.
    pub fn new(
        database: Database,
        organization: OrganizationId,
        filter: AuditFilter,
        format: ExportFormat,
    ) -> Self {
        Self {
            database,
            organization,
            filter,
            format,
            position: Position::Start,
        }
    }

    /// The next part of the file; `None` after the last one. Events that are added meanwhile are not in it.
    pub async fn next(&mut self) -> Result<Option<String>, StorageError> {
        let before = match self.position {
            Position::Start => None,
            Position::After(id) => Some(id),
            Position::End => return Ok(None),
        };
        let events = {
            let mut read = self.database.read().await?;
            store::list(read.conn(), self.organization, &self.filter, before, PAGE).await?
        };
        let mut part = String::new();
        if before.is_none() && self.format == ExportFormat::Csv {
            part.push_str(HEADER);
        }
        for event in &events {
            match self.format {
                ExportFormat::Csv => write_record(&mut part, event),
                ExportFormat::JsonLines => write_json(&mut part, event)?,
            }
        }
        let is_last = events.len() < PAGE as usize;
        self.position = match events.last() {
            Some(event) if !is_last => Position::After(event.id),
            _ => Position::End,
        };
        Ok(Some(part))
    }
}

fn write_json(part: &mut String, event: &AuditEvent) -> Result<(), StorageError> {
    let json = serde_json::to_string(event)
        .map_err(|error| StorageError::corrupt("audit event", error))?;
    part.push_str(&json);
    part.push('\n');
    Ok(())
}

fn write_record(part: &mut String, event: &AuditEvent) {
    let (at, id, detail) = (
        event.at.to_string(),
        event.id.to_string(),
        event.detail.to_string(),
    );
    let fields = [
        &at,
        &event.action,
        &event.actor_kind,
        &event.actor_id,
        &event.target_kind,
        &event.target_id,
        event.client_address.as_deref().unwrap_or_default(),
        event.request_id.as_deref().unwrap_or_default(),
        &detail,
        &id,
    ];
    for (number, field) in fields.into_iter().enumerate() {
        if number > 0 {
            part.push(',');
        }
        write_field(part, field);
    }
    part.push_str("\r\n");
}

fn write_field(part: &mut String, field: &str) {
    let escaped = if field.starts_with(FORMULAS) { "'" } else { "" };
    if !field.contains(['"', ',', '\r', '\n']) {
        part.push_str(escaped);
        part.push_str(field);
        return;
    }
    part.push('"');
    part.push_str(escaped);
    for character in field.chars() {
        if character == '"' {
            part.push('"');
        }
        part.push(character);
    }
    part.push('"');
}

#[cfg(test)]
mod tests {
    use super::write_field;

    #[test]
    fn fields_are_quoted_and_are_no_formulas() {
        for (field, written) in [
            ("", ""),
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            (
                "=HYPERLINK(\"http://x\",1)",
                "\"'=HYPERLINK(\"\"http://x\"\",1)\"",
            ),
            ("a=1", "a=1"),
        ] {
            let mut part = String::new();
            write_field(&mut part, field);
            assert_eq!(part, written);
        }
    }
}
