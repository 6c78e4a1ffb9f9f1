//! The functions of the script read values as the outputs for applications do.

use sqlx::AssertSqlSafe;

use super::{
    postgres::{on_postgres, run},
    *,
};
use crate::{
    ValueType,
    row_rules::{postgres_ddl, value::read},
    text::{is_blank, misleads},
};

/// The helper and [`crate::text`] draw the same line, character by character.
#[tokio::test]
async fn texts_are_usable_in_the_database_as_they_are_here() {
    on_postgres(async |mut connection, _| {
        run(&mut connection, &postgres_ddl(&CompiledRowRules::default())).await;
        let usable: Vec<i32> = sqlx::query_scalar(
            "select code from generate_series(1, 65535) as code where code not between 55296 and 57343 \
             and jeton.to_text(to_jsonb(chr(code))) is not null",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let usable: BTreeSet<_> = usable.into_iter().map(|code| u32::try_from(code).unwrap()).collect();
        for c in '\u{1}'..='\u{ffff}' {
            let text = c.to_string();
            let expected = !is_blank(&text) && !misleads(&text);
            assert_eq!(usable.contains(&u32::from(c)), expected, "{}", c.escape_unicode());
        }
    })
    .await;
}

#[tokio::test]
async fn values_are_typed_in_the_database_as_they_are_here() {
    on_postgres(async |mut connection, _| {
        run(&mut connection, &postgres_ddl(&CompiledRowRules::default())).await;
        let values = [
            "0",
            "-1",
            "1.0",
            "0.5",
            "9007199254740991",
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551615",
            "99999999999999999999",
            "123456789012345678",
            "1e300",
            "true",
            "null",
            "\"true\"",
            "\"1\"",
            "\"2024-02-29\"",
            "\"2023-02-29\"",
            "\"2026-00-10\"",
            "\"2026-04-31\"",
            "\"2026-13-01\"",
            "\"0000-01-01\"",
            "\"0001-01-01\"",
            "\"9999-12-31\"",
            "\"2026-1-1\"",
            "\"2026-01-01T00:00:00Z\"",
            "\"2026-01-0\u{661}\"",
            "\"infinity\"",
            "\"\"",
            "[]",
            "[1]",
            "{}",
        ];
        for json in values {
            let value: Value = serde_json::from_str(json).unwrap();
            for kind in ["bigint", "numeric", "boolean", "date"] {
                let value_type = match kind {
                    "bigint" => ValueType::Integer,
                    "numeric" => ValueType::Number,
                    "boolean" => ValueType::Boolean,
                    _ => ValueType::Date,
                };
                let sql = format!("select jeton.to_{kind}($1::jsonb) is not null");
                let usable: bool = sqlx::query_scalar(AssertSqlSafe(sql))
                    .bind(&value)
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
                let expected = read(value_type, &value).is_some();
                assert_eq!(usable, expected, "{kind} {json}");
            }
        }
    })
    .await;
}
