//! Names of schemas, tables and columns, parsed once.

use std::fmt;

/// The longest name, in bytes: PostgreSQL cuts longer ones, and two names could become one.
pub const MAX_SQL_NAME_LENGTH: usize = 63;

/// The name of a schema, table or column: `[A-Za-z_][A-Za-z0-9_$]{0,62}`. It holds nothing that ends a quoted name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlName(String);

/// A text is no [`SqlName`]. Never repeats the text, which may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a SQL name must be 1 to 63 characters: a letter or `_`, then letters, digits, `_` and `$`, all ASCII"
)]
pub struct SqlNameError;

/// How names are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierQuote {
    /// `"name"`, the SQL standard: PostgreSQL, SQLite, Snowflake, Trino, Oracle, SQL Server.
    Ansi,
    /// `` `name` ``: MySQL, MariaDB, BigQuery, Spark, ClickHouse, SQLite.
    Backtick,
}

/// A table, with its schema when the rules give one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema.
    pub schema: Option<SqlName>,
    /// The table.
    pub table: SqlName,
}

impl SqlName {
    /// Checks `text` and makes it a name.
    pub fn parse(text: &str) -> Result<Self, SqlNameError> {
        let mut bytes = text.bytes();
        let starts_well = bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
        let goes_on_well =
            bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
        if starts_well && goes_on_well && text.len() <= MAX_SQL_NAME_LENGTH {
            Ok(Self(text.to_owned()))
        } else {
            Err(SqlNameError)
        }
    }

    /// The name as text, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name between quotes.
    pub(super) fn quoted(&self, quote: IdentifierQuote) -> String {
        match quote {
            IdentifierQuote::Ansi => format!("\"{}\"", self.0),
            IdentifierQuote::Backtick => format!("`{}`", self.0),
        }
    }
}

impl TableName {
    /// Checks both names.
    pub fn parse(schema: Option<&str>, table: &str) -> Result<Self, SqlNameError> {
        Ok(Self {
            schema: schema.map(SqlName::parse).transpose()?,
            table: SqlName::parse(table)?,
        })
    }

    /// Both names between quotes.
    pub(super) fn quoted(&self, quote: IdentifierQuote) -> String {
        let table = self.table.quoted(quote);
        match &self.schema {
            Some(schema) => format!("{}.{table}", schema.quoted(quote)),
            None => table,
        }
    }
}

impl fmt::Display for SqlName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(formatter, "{schema}.{}", self.table),
            None => self.table.fmt(formatter),
        }
    }
}
