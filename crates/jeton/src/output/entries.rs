//! Entries of the API, for people and programs.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{data, table};
use crate::failure::Failure;

/// How entries are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// As the API answers
    Json,
    /// The same as YAML
    Yaml,
    /// One line per entry, with a header
    Csv,
}

/// A column of tables and CSV.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    /// Where the entry has it: a JSON pointer.
    at: &'static str,
    /// What stands there when the entry does not have it.
    otherwise: &'static str,
    is_time: bool,
    only_in_csv: bool,
}

impl Column {
    pub(crate) const fn text(title: &'static str, at: &'static str) -> Self {
        Self {
            title,
            at,
            otherwise: "",
            is_time: false,
            only_in_csv: false,
        }
    }

    /// A time, shown to the second.
    pub(crate) const fn time(title: &'static str, at: &'static str) -> Self {
        Self {
            is_time: true,
            ..Self::text(title, at)
        }
    }

    /// The same text in each row.
    pub(crate) const fn constant(title: &'static str, text: &'static str) -> Self {
        Self::text(title, "/-").otherwise(text)
    }

    pub(crate) const fn otherwise(self, text: &'static str) -> Self {
        Self {
            otherwise: text,
            ..self
        }
    }

    pub(crate) const fn only_in_csv(self) -> Self {
        Self {
            only_in_csv: true,
            ..self
        }
    }

    fn cell(&self, entry: &Value) -> String {
        let text = entry.pointer(self.at).map(words).unwrap_or_default();
        match text.split_once('.') {
            _ if text.is_empty() => self.otherwise.to_owned(),
            Some((seconds, _)) if self.is_time => format!("{seconds}Z"),
            _ => text,
        }
    }

    fn csv_title(&self) -> String {
        self.title.to_ascii_lowercase().replace(' ', "_")
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// Prints a list.
pub(crate) fn list(entries: &[Value], columns: &[Column], format: Format) -> Result<(), Failure> {
    print(&json!({ "data": entries }), entries, columns, format)
}

/// Prints one entry.
pub(crate) fn entry(entry: &Value, columns: &[Column], format: Format) -> Result<(), Failure> {
    print(entry, std::slice::from_ref(entry), columns, format)
}

fn print(whole: &Value, rows: &[Value], columns: &[Column], format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Table => in_a_table(rows, columns),
        Format::Json => serde_json::to_string_pretty(whole).map_err(Failure::server)?,
        Format::Yaml => serde_saphyr::to_string(whole).map_err(Failure::server)?,
        Format::Csv => in_csv(rows, columns).map_err(Failure::server)?,
    };
    data(text.trim_end());
    Ok(())
}

fn in_a_table(rows: &[Value], columns: &[Column]) -> String {
    let shown = || columns.iter().filter(|column| !column.only_in_csv);
    let header: Vec<&str> = shown().map(|column| column.title).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| shown().map(|column| column.cell(row)).collect())
        .collect();
    table(&header, &rows)
}

fn in_csv(rows: &[Value], columns: &[Column]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(Column::csv_title))?;
    for row in rows {
        writer.write_record(columns.iter().map(|column| column.cell(row)))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::text("NAME", "/name"),
        Column::time("LAST USED", "/used").otherwise("never"),
        Column::text("GRANTS", "/grants").only_in_csv(),
    ];

    fn rows() -> Vec<Value> {
        vec![
            json!({ "name": "a, \"b\"", "used": "2026-01-02T03:04:05.678Z", "grants": ["x", "y"] }),
            json!({ "name": "no", "used": null }),
        ]
    }

    #[test]
    fn tables_show_what_people_look_for() {
        let expected = "NAME    LAST USED\na, \"b\"  2026-01-02T03:04:05Z\nno      never";
        assert_eq!(in_a_table(&rows(), COLUMNS), expected);
    }

    #[test]
    fn csv_quotes_and_has_every_column() {
        let expected =
            "name,last_used,grants\n\"a, \"\"b\"\"\",2026-01-02T03:04:05Z,x y\nno,never,\n";
        assert_eq!(in_csv(&rows(), COLUMNS).unwrap(), expected);
    }

    #[test]
    fn yaml_keeps_texts_texts() {
        let text = serde_saphyr::to_string(
            &json!({ "a": "no", "b": "1e3", "c": "", "d": null, "e": "x: y" }),
        )
        .unwrap();
        for bare in ["a: no\n", "b: 1e3\n", "c: \n", "c:\n", "e: x: y\n"] {
            assert!(!text.contains(bare), "{text}");
        }
        assert!(text.contains("d: null"), "{text}");
    }
}
