//! What PostgreSQL makes of the claims: array literals, and the row policies of PostgREST and Supabase.

use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use storage::Engine;
use storage::testing::ScratchDatabase;

use super::consumers::issued_now;
use super::signer::Signer;
use super::*;
use crate::templates::filter::Filter;
use crate::templates::reference::{Item, Resolved};

async fn connect() -> PgConnection {
    let scratch = ScratchDatabase::create(Engine::Postgres).await;
    PgConnection::connect(scratch.url()).await.unwrap()
}

fn pg_array(items: &[String]) -> Option<String> {
    let items = items.iter().map(|item| Item::Text(item.into())).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"unused");
    let literal = Filter::PgArray.apply(Resolved::List(items), &key)?;
    literal.into_json().as_str().map(str::to_owned)
}

fn items() -> impl Strategy<Value = Vec<String>> {
    let special = proptest::sample::select(vec![
        "", " ", "NULL", "null", "\\", "\\\\", "\"", "{", "}", "{}", ",", "'", "\n", "\t", "\u{b}",
        "é", "🦀", "$1", "\\N", "\"\"",
    ]);
    let texts = proptest::collection::vec(special, 0..5).prop_map(|parts| parts.concat());
    let item = prop_oneof![
        texts,
        any::<String>().prop_map(|text| text.replace('\0', ""))
    ];
    proptest::collection::vec(item, 0..8)
}

#[tokio::test]
async fn postgresql_reads_array_literals_as_the_lists_they_were() {
    let mut connection = connect().await;
    let mut runner = TestRunner::default();
    for _ in 0..400 {
        let list = items().new_tree(&mut runner).unwrap().current();
        let literal = pg_array(&list).unwrap();
        let read: Vec<String> = sqlx::query_scalar("select $1::text::text[]")
            .bind(&literal)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(read, list, "{literal}");
    }
    let numbers: Vec<i64> = sqlx::query_scalar("select $1::text::bigint[]")
        .bind(r#"{"1","-2"}"#)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(numbers, [1, -2]);
    assert_eq!(pg_array(&["a\0b".to_owned()]), None);
}

/// Signs, verifies with the audience and issuer, and hands the claims over as PostgREST does: the setting
/// `request.jwt.claims` and `SET LOCAL ROLE`
/// (<https://docs.postgrest.org/en/stable/references/transactions.html>). Then reads what is visible.
async fn visible(
    connection: &mut PgConnection,
    preset: &str,
    token: &Token,
    query: &'static str,
) -> Vec<String> {
    let signer = Signer::new(preset);
    let text = signer.sign(&signer.payload(token));
    let claims = signer.verified(&text, &token.aud);
    let role = claims["role"].as_str().unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("select set_config('request.jwt.claims', $1, true), set_config('role', $2, true)")
        .bind(claims.to_string())
        .bind(role)
        .execute(&mut *tx)
        .await
        .unwrap();
    let rows = sqlx::query_scalar(query).fetch_all(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    rows
}

impl Signer {
    fn verified(&self, token: &str, aud: &str) -> Value {
        let mut validation = Validation::new(self.algorithm());
        validation.set_audience(&[aud]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        let key = DecodingKey::from_jwk(&self.jwk()).unwrap();
        jsonwebtoken::decode(token, &key, &validation)
            .unwrap()
            .claims
    }
}

/// A table of orders with row security, readable by `role`, which may exist already: roles belong to the whole server.
async fn orders(connection: &mut PgConnection, role: &str, policy: &str) {
    let role = format!(
        "do $$ begin create role {role}; exception when duplicate_object or unique_violation then null; end $$;
         create table orders (name text, tenant_id text, region text, owner uuid);
         insert into orders values ('o1', 't-1', 'eu', '0190a000-0000-7000-8000-000000000001'), ('o2', 't-1', 'us', null),
           ('o3', 't''2\"{{{{ x }}}}', 'eu', null), ('o4', null, null, null);
         alter table orders enable row level security;
         grant select on orders to {role};
         create policy own on orders for select to {role} using ({policy})"
    );
    connection.execute(AssertSqlSafe(role)).await.unwrap();
}

#[tokio::test]
async fn postgrest_row_policies_read_role_and_attributes() {
    let mut connection = connect().await;
    let claims = "nullif(current_setting('request.jwt.claims', true), '')::json";
    let policy = format!(
        "tenant_id = {claims}->'attributes'->>'tenant_id'
         and region in (select json_array_elements_text({claims}->'attributes'->'regions'))"
    );
    orders(&mut connection, "jeton_test_viewer", &policy).await;
    let query = "select name || ' ' || current_role from orders order by name";
    for (attributes, expected) in [
        (
            json!({ "tenant_id": "t-1", "regions": ["eu"] }),
            vec!["o1 jeton_test_viewer"],
        ),
        (
            json!({ "tenant_id": "t-1", "regions": ["eu", "us"] }),
            vec!["o1 jeton_test_viewer", "o2 jeton_test_viewer"],
        ),
        (
            json!({ "tenant_id": "t'2\"{{ x }}", "regions": ["eu"] }),
            vec!["o3 jeton_test_viewer"],
        ),
        (
            json!({ "tenant_id": "' or true --", "regions": ["eu", "us"] }),
            vec![],
        ),
        // Without the attribute nothing matches.
        (json!({ "tenant_id": "t-1" }), vec![]),
    ] {
        let mut token = issued_now(&attributes, "postgrest");
        token.roles = vec![RoleName::parse("jeton_test_viewer").unwrap()];
        assert_eq!(
            visible(&mut connection, "postgrest", &token, query).await,
            expected,
            "{attributes}"
        );
    }
}

#[tokio::test]
async fn supabase_row_policies_read_the_user_and_app_metadata() {
    let mut connection = connect().await;
    // What Supabase's helpers do: https://supabase.com/docs/guides/database/postgres/row-level-security#helper-functions
    let helpers = "create schema auth;
        create function auth.jwt() returns jsonb stable language sql as
          $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
        create function auth.uid() returns uuid stable language sql as $$ select (auth.jwt()->>'sub')::uuid $$;
        grant usage on schema auth to public";
    connection.execute(helpers).await.unwrap();
    let policy = "owner = auth.uid() or (region = 'us'
                  and tenant_id = auth.jwt()->'app_metadata'->'attributes'->>'tenant_id')";
    orders(&mut connection, "authenticated", policy).await;
    let query = "select name || ' ' || current_role from orders order by name";
    let preset = Preset::named("supabase").unwrap();
    for (user, tenant, expected) in [
        (
            "0190a000-0000-7000-8000-000000000001",
            "t-1",
            vec!["o1 authenticated", "o2 authenticated"],
        ),
        (
            "0190a000-0000-7000-8000-000000000002",
            "t-1",
            vec!["o2 authenticated"],
        ),
        ("0190a000-0000-7000-8000-000000000002", "t-9", vec![]),
    ] {
        let mut token = issued_now(&json!({ "tenant_id": tenant }), preset.aud.unwrap());
        user.clone_into(&mut token.user_id);
        assert_eq!(
            visible(&mut connection, "supabase", &token, query).await,
            expected,
            "{user} {tenant}"
        );
    }
    // auth.uid() would fail on each row.
    assert!(
        issued_now(&json!({}), "authenticated")
            .payload("supabase")
            .is_err()
    );
}
