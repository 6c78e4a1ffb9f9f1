//! The example's row rules, printed by the binary, enforced by PostgreSQL.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use storage::{Engine, testing::ScratchDatabase};

use crate::policy_files::{example, jeton};

const TABLES: &str = "
    create table orders (id bigint primary key, tenant_id text, deleted boolean, ticket_id bigint);
    insert into orders values (1, 't-a', false, null), (2, 't-a', true, 7), (3, 't-b', false, 7), (4, 't-a', false, 8);
    create table sales (id bigint primary key, tenant_id text, region text);
    insert into sales values (1, 't-a', 'eu'), (2, 't-a', 'us'), (3, 't-a', null), (4, 't-b', 'eu');
    create schema archive;
    create table archive.documents (id bigint primary key, tenant_id text, secrecy bigint);
    insert into archive.documents values (1, 't-a', 1), (2, 't-a', 3), (3, 't-b', 1);";

async fn run(connection: &mut PgConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// Claims, and the ids that they show of orders, sales and documents.
type Seen = (Value, &'static [i64], &'static [i64], &'static [i64]);

/// The ids that a token with these claims sees in a table.
async fn seen(
    connection: &mut PgConnection,
    reader: &str,
    claims: &Value,
    table: &str,
) -> Vec<i64> {
    let mut transaction = connection.begin().await.unwrap();
    run(&mut transaction, &format!("set local role {reader}")).await;
    sqlx::query("select set_config('request.jwt.claims', $1, true)")
        .bind(claims.to_string())
        .execute(&mut *transaction)
        .await
        .unwrap();
    let sql = AssertSqlSafe(format!("select id from {table} order by id"));
    let rows = sqlx::query(sql).fetch_all(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn every_token_sees_its_rows(mut connection: PgConnection, reader: String) {
    let policy = example("policy.yaml");
    let (code, script, talk) = jeton(&["policy", "rls", "-f", &policy, "--engine", "postgres"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    run(&mut connection, TABLES).await;
    let grants = format!(
        "grant usage on schema archive to {reader}; grant select on orders, sales, archive.documents to {reader}"
    );
    run(&mut connection, &grants).await;
    // Twice: it can run again at any time.
    for _ in 0..2 {
        run(&mut connection, &format!("begin; {script}; commit")).await;
    }
    let token = |roles: Value, attributes: Value| json!({"roles": roles, "attributes": attributes});
    let table: &[Seen] = &[
        (
            token(
                json!(["viewer"]),
                json!({"tenant_id": "t-a", "clearance": 1}),
            ),
            &[1, 4],
            &[],
            &[1],
        ),
        (
            token(
                json!(["viewer"]),
                json!({"tenant_id": "t-b", "clearance": 3}),
            ),
            &[3],
            &[],
            &[3],
        ),
        (
            token(
                json!(["analyst"]),
                json!({"tenant_id": "t-a", "regions": ["eu"], "clearance": 3}),
            ),
            &[1, 4],
            &[1, 3],
            &[1, 2],
        ),
        (
            token(
                json!(["analyst"]),
                json!({"tenant_id": "t-a", "clearance": 1}),
            ),
            &[1, 4],
            &[],
            &[1],
        ),
        (
            token(
                json!(["support"]),
                json!({"tenant_id": "t-a", "ticket_id": 7}),
            ),
            &[2],
            &[],
            &[],
        ),
        (
            token(
                json!(["viewer", "support"]),
                json!({"tenant_id": "t-a", "ticket_id": 7, "clearance": 1}),
            ),
            &[1, 2, 4],
            &[],
            &[1],
        ),
        (
            token(json!(["viewer"]), json!({"clearance": 3})),
            &[],
            &[],
            &[],
        ),
        (json!({}), &[], &[], &[]),
    ];
    for (claims, orders, sales, documents) in table {
        let tables = [
            ("orders", orders),
            ("sales", sales),
            ("archive.documents", documents),
        ];
        for (table, expected) in tables {
            let found = seen(&mut connection, &reader, claims, table).await;
            assert_eq!(found, *expected, "{table} {claims}");
        }
    }
}

#[tokio::test]
async fn postgres_shows_each_token_the_rows_of_the_example() {
    let scratch = ScratchDatabase::create(Engine::Postgres).await;
    let connect = || async { PgConnection::connect(scratch.url()).await.unwrap() };
    // Roles belong to the whole server, so this one has the scratch database's name, and goes even when the test fails.
    let reader = scratch.url().rsplit('/').next().unwrap().to_owned();
    run(
        &mut connect().await,
        &format!("create role {reader} nologin"),
    )
    .await;
    let test = tokio::spawn(every_token_sees_its_rows(connect().await, reader.clone()));
    let outcome = test.await;
    let drop = format!("drop owned by {reader}; drop role {reader}");
    run(&mut connect().await, &drop).await;
    outcome.unwrap();
}

#[test]
fn other_engines_get_their_clauses() {
    let policy = example("policy.yaml");
    let rls = |arguments: &[&str]| {
        let all = [&["policy", "rls", "-f", &policy], arguments].concat();
        jeton(&all)
    };
    let token = [
        "--role",
        "analyst",
        "--attribute",
        "tenant_id=t-a",
        "--attribute",
        "regions:=[\"eu\"]",
    ];
    let superset = ["--engine", "superset", "--output", "json"];
    let (code, data, _) = rls(&[&superset[..], &token].concat());
    let answer: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(code, 0);
    let clause = "(tenant_id = 't-a' and (region in ('eu') or region is null))";
    let expected = json!([
        {"table": "orders", "clause": "(tenant_id = 't-a' and deleted = false)"},
        {"table": "sales", "clause": clause},
        {"schema": "archive", "table": "documents", "clause": "1 = 0"},
    ]);
    assert_eq!(answer["rls"], expected);
    let sql = [
        "--engine",
        "sql",
        "--placeholder",
        "colon",
        "--backticks",
        "--output",
        "json",
    ];
    let answer: Value = serde_json::from_str(&rls(&[&sql[..], &token].concat()).1).unwrap();
    let expected = json!({
        "table": "orders", "sql": "(`orders`.`tenant_id` = :jeton_1 and `orders`.`deleted` = :jeton_2)",
        "binds": ["t-a", false],
    });
    assert_eq!(answer["filters"][0], expected);
    for wrong in [
        &["--engine", "superset"][..],
        &["--engine", "postgres", "--role", "viewer"],
    ] {
        assert_eq!(rls(wrong).0, 1, "{wrong:?}");
    }
}
