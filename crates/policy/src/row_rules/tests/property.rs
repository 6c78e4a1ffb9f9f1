//! Whatever the rules, the rows and the token: every output shows the rows that the rules mean, on real databases.

use proptest::test_runner::{Config, TestRunner};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::runtime::Runtime;

use super::{
    cases::{KINDS, payload, row, row_rules},
    naive::{Row, visible},
    postgres::{Server, read_as, run},
    *,
};
use crate::{
    attributes::Scalar,
    row_rules::{
        FragmentStyle, IdentifierQuote, Placeholder, WhereFragment, postgres_ddl, superset_rls,
        where_fragment,
    },
};

const CASES: u32 = 320;
const PAYLOADS: usize = 5;

/// Whether Superset's clause can hold every text of `json`.
fn is_plain(json: &Value) -> bool {
    match json {
        Value::String(text) => !text.contains(['\\', '"', '$']),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields.values().all(is_plain),
        _ => true,
    }
}

const TABLE: &str = "create table orders \
    (id bigint, c_text text, c_int bigint, c_num numeric, c_bool boolean, c_date date)";

/// All values of a row as one SQL row, written here and not by the code under test.
fn insert(rows: &[Row]) -> String {
    let rows = rows.iter().enumerate().map(|(id, row)| {
        let cells = KINDS.iter().map(|kind| match row.get(kind.column) {
            None => "null".to_owned(),
            Some(Value::String(text)) => format!("'{}'", text.replace('\'', "''")),
            Some(other) => other.to_string(),
        });
        format!("({id}, {})", cells.collect::<Vec<_>>().join(", "))
    });
    let rows: Vec<_> = rows.collect();
    format!("insert into orders values {}", rows.join(", "))
}

struct Engines {
    sqlite: SqliteConnection,
    postgres: PgConnection,
    reader: String,
}

impl Engines {
    async fn fill(&mut self, rows: &[Row]) {
        for sql in ["delete from orders".to_owned(), insert(rows)] {
            run(&mut self.postgres, &sql).await;
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut self.sqlite)
                .await
                .unwrap();
        }
    }

    async fn on_sqlite(&mut self, fragment: &WhereFragment) -> Vec<i64> {
        let sql = format!("select id from orders where {} order by id", fragment.sql);
        let mut query = sqlx::query_scalar(AssertSqlSafe(sql));
        for bind in &fragment.binds {
            query = match bind {
                Scalar::String(text) => query.bind(text.clone()),
                Scalar::Integer(number) => query.bind(*number),
                Scalar::Number(number) => query.bind(number.as_f64().unwrap()),
                Scalar::Boolean(flag) => query.bind(*flag),
                Scalar::Date(_) => query.bind(bind.to_json().as_str().unwrap().to_owned()),
            };
        }
        query.fetch_all(&mut self.sqlite).await.unwrap()
    }

    async fn on_postgres(&mut self, fragment: &WhereFragment) -> Vec<i64> {
        let sql = format!("select id from orders where {} order by id", fragment.sql);
        let mut query = sqlx::query_scalar(AssertSqlSafe(sql));
        for bind in &fragment.binds {
            query = match bind {
                Scalar::String(text) => query.bind(text.clone()),
                Scalar::Integer(number) => query.bind(*number),
                Scalar::Number(number) => query.bind(number.as_f64().unwrap()),
                Scalar::Boolean(flag) => query.bind(*flag),
                Scalar::Date(date) => query.bind(*date),
            };
        }
        // The same text comes with values of other types: a statement prepared for the first would misread the second.
        let query = query.persistent(false);
        query.fetch_all(&mut self.postgres).await.unwrap()
    }

    /// The rows of each output, with what made them.
    async fn seen(
        &mut self,
        rules: &CompiledRowRules,
        payload: &Value,
    ) -> Vec<(&'static str, Vec<i64>)> {
        let claims = TokenClaims::from_json(payload);
        let style = |placeholder, quote| FragmentStyle {
            placeholder,
            quote,
            alias: None,
        };
        let dollar = style(Placeholder::Dollar { first: 1 }, IdentifierQuote::Ansi);
        let question = style(Placeholder::Question, IdentifierQuote::Backtick);
        let dollar = where_fragment(rules, &orders(), &claims, &dollar);
        let question = where_fragment(rules, &orders(), &claims, &question);
        let payload = payload.to_string();
        let select = "select id from orders order by id";
        let policy = read_as(&mut self.postgres, &self.reader, Some(&payload), select).await;
        vec![
            ("$1 on SQLite", self.on_sqlite(&dollar).await),
            ("? on SQLite", self.on_sqlite(&question).await),
            ("$1 on PostgreSQL", self.on_postgres(&dollar).await),
            ("policy", policy.unwrap()),
        ]
    }

    async fn seen_by_superset(
        &mut self,
        rules: &CompiledRowRules,
        payload: &Value,
    ) -> [Vec<i64>; 2] {
        let [clause] = superset_rls(rules, &TokenClaims::from_json(payload))
            .try_into()
            .unwrap();
        let fragment = WhereFragment {
            sql: clause.clause,
            binds: Vec::new(),
        };
        [
            self.on_sqlite(&fragment).await,
            self.on_postgres(&fragment).await,
        ]
    }
}

/// How often it happened that a token saw all, some or none of the rows.
#[derive(Default)]
struct Tally {
    all: usize,
    some: usize,
    none: usize,
    exact_superset: usize,
}

async fn agree(
    engines: &mut Engines,
    tally: &mut Tally,
    (rules, rows, payloads): (Vec<RowRule>, Vec<Row>, Vec<Value>),
) {
    let compiled = CompiledRowRules::compile(&rules, &declarations()).unwrap();
    engines.fill(&rows).await;
    run(&mut engines.postgres, &postgres_ddl(&compiled)).await;
    for payload in payloads {
        let expected: Vec<i64> = (0..)
            .zip(&rows)
            .filter(|(_, row)| visible(&rules, &payload, row))
            .map(|(id, _)| id)
            .collect();
        match expected.len() {
            0 => tally.none += 1,
            all if all == rows.len() => tally.all += 1,
            _ => tally.some += 1,
        }
        for (output, seen) in engines.seen(&compiled, &payload).await {
            assert_eq!(seen, expected, "{output} {payload} {rules:?} {rows:?}");
        }
        let exact = is_plain(&payload) && is_plain(&serde_json::to_value(&rules).unwrap());
        tally.exact_superset += usize::from(exact && !expected.is_empty());
        for seen in engines.seen_by_superset(&compiled, &payload).await {
            if exact {
                assert_eq!(seen, expected, "Superset {payload}");
            } else {
                assert!(
                    seen.iter().all(|id| expected.contains(id)),
                    "Superset {payload}"
                );
            }
        }
    }
}

#[test]
fn all_outputs_show_the_rows_that_the_rules_mean() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let mut engines = runtime.block_on(async {
        let mut postgres = server.connect().await;
        let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        run(&mut postgres, TABLE).await;
        run(
            &mut postgres,
            &format!("grant select on orders to {}", server.reader()),
        )
        .await;
        let table = TABLE.replace("c_date date", "c_date text");
        sqlx::raw_sql(AssertSqlSafe(table))
            .execute(&mut sqlite)
            .await
            .unwrap();
        Engines {
            sqlite,
            postgres,
            reader: server.reader().to_owned(),
        }
    });
    let cases = (
        row_rules(),
        proptest::collection::vec(row(), 1..10),
        proptest::collection::vec(payload(), PAYLOADS),
    );
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let tally = std::cell::RefCell::new(Tally::default());
    let engines = std::cell::RefCell::new(&mut engines);
    let outcome = TestRunner::new(config).run(&cases, |case| {
        let (mut engines, mut tally) = (engines.borrow_mut(), tally.borrow_mut());
        runtime.block_on(agree(&mut engines, &mut tally, case));
        Ok(())
    });
    runtime.block_on(server.stop());
    outcome.unwrap();

    // The cases were not all of one sort.
    let Tally {
        all,
        some,
        none,
        exact_superset,
    } = tally.into_inner();
    println!("saw all rows {all}, some {some}, none {none}; exact for Superset {exact_superset}");
    assert!(all.min(some).min(none) >= 20 && exact_superset >= 10);
}
