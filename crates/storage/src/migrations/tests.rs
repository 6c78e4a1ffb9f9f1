use std::collections::BTreeSet;

use super::{POSTGRES, SQLITE};
use crate::testing::{ScratchDatabase, on_both_engines};
use crate::tests::{count_organizations, organization};
use crate::{Database, Engine, StorageError, Timestamp, execute, fetch_all};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

type Facts = BTreeSet<(String, String, String, String)>;

async fn facts(engine: Engine, sqlite: &'static str, postgres: &'static str) -> Facts {
    let scratch = ScratchDatabase::create(engine).await;
    let database = Database::connect(scratch.url()).await.unwrap();
    database.migrate().await.unwrap();
    let mut read = database.read().await.unwrap();
    let sql = match engine {
        Engine::Sqlite => sqlite,
        Engine::Postgres => postgres,
    };
    let rows = fetch_all!(read.conn(), (String, String, String, String), sql).unwrap();
    rows.into_iter().collect()
}

async fn assert_same(sqlite: &'static str, postgres: &'static str) -> Facts {
    let here = facts(Engine::Sqlite, sqlite, postgres).await;
    let there = facts(Engine::Postgres, sqlite, postgres).await;
    let only_here: Vec<_> = here.difference(&there).collect();
    let only_there: Vec<_> = there.difference(&here).collect();
    assert!(
        only_here.is_empty() && only_there.is_empty(),
        "only on SQLite: {only_here:?}; only on PostgreSQL: {only_there:?}"
    );
    here
}

#[tokio::test]
async fn both_engines_have_the_same_columns() {
    let columns = assert_same(
        r#"select t.name, c.name, c.type, case when c."notnull" or c.pk then 'NO' else 'YES' end
           from sqlite_schema t, pragma_table_info(t.name) c
           where t.type = 'table' and t.name not in ('_sqlx_migrations', 'sqlite_sequence')"#,
        "select table_name::text, column_name::text,
                case udt_name when 'uuid' then 'BLOB' when 'bytea' then 'BLOB'
                              when 'text' then 'TEXT' when 'jsonb' then 'TEXT'
                              when 'int4' then 'INTEGER' when 'int8' then 'INTEGER'
                              when 'timestamptz' then 'INTEGER'
                              else 'a type without counterpart: ' || udt_name end,
                is_nullable::text
         from information_schema.columns
         where table_schema = 'public' and table_name <> '_sqlx_migrations'",
    )
    .await;
    let session_ends = ("sessions", "expires_at", "INTEGER", "NO");
    assert!(
        columns
            .iter()
            .any(|(a, b, c, d)| (a.as_str(), b.as_str(), c.as_str(), d.as_str()) == session_ends)
    );
}

#[tokio::test]
async fn both_engines_have_the_same_keys_and_indexes() {
    let keys = assert_same(
        r#"select t.name, 'primary', '',
                  (select group_concat(name, ',') from (select name from pragma_table_info(t.name)
                                                        where pk > 0 order by pk))
           from sqlite_schema t where t.type = 'table' and t.name not in ('_sqlx_migrations', 'sqlite_sequence')
           union all
           select t.name, iif(i."unique", 'unique', 'index'), iif(i.partial, 'partial', ''),
                  (select group_concat(name, ',') from (select name from pragma_index_info(i.name) order by seqno))
           from sqlite_schema t, pragma_index_list(t.name) i
           where t.type = 'table' and t.name <> '_sqlx_migrations' and i.origin <> 'pk'"#,
        "select t.relname::text,
                case when i.indisprimary then 'primary' when i.indisunique then 'unique' else 'index' end,
                case when i.indpred is null then '' else 'partial' end,
                (select string_agg(c.attname::text, ',' order by k.place)
                 from unnest(i.indkey::int2[]) with ordinality k(number, place)
                 join pg_attribute c on c.attrelid = i.indrelid and c.attnum = k.number)
         from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace
         where n.nspname = 'public' and t.relname <> '_sqlx_migrations'",
    )
    .await;
    let live_keys = ("api_keys", "unique", "", "owner_id,live_slot");
    assert!(
        keys.iter()
            .any(|(a, b, c, d)| (a.as_str(), b.as_str(), c.as_str(), d.as_str()) == live_keys)
    );
}

#[tokio::test]
async fn both_engines_have_the_same_references() {
    let references = assert_same(
        r#"select t.name, r."from", r."table", p.name
           from sqlite_schema t, pragma_foreign_key_list(t.name) r, pragma_table_info(r."table") p
           where t.type = 'table' and p.pk = 1"#,
        "select t.relname::text, c.attname::text, o.relname::text, f.attname::text
         from pg_constraint r join pg_class t on t.oid = r.conrelid join pg_class o on o.oid = r.confrelid
         join pg_attribute c on c.attrelid = r.conrelid and c.attnum = r.conkey[1]
         join pg_attribute f on f.attrelid = r.confrelid and f.attnum = r.confkey[1]
         where r.contype = 'f'",
    )
    .await;
    assert!(references.len() >= 10, "{references:?}");
}

#[test]
fn both_engines_have_the_same_steps() {
    let steps = |migrator: &'static sqlx::migrate::Migrator| -> Vec<_> {
        let steps = migrator.iter();
        steps
            .map(|step| (step.version, step.description.as_ref()))
            .collect()
    };
    assert_eq!(steps(&SQLITE), steps(&POSTGRES));
    let numbers: Vec<i64> = SQLITE.iter().map(|step| step.version).collect();
    let without_gaps: Vec<i64> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, without_gaps);
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    on_both_engines(|database| async move {
        organization(&database, "acme").await;
        database.migrate().await.unwrap();
        database.check_schema().await.unwrap();
        assert_eq!(count_organizations(&database).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_migrate_once() {
    for engine in ENGINES {
        let scratch = ScratchDatabase::create(engine).await;
        let nodes: Vec<_> = (0..4)
            .map(|_| {
                let url = scratch.url().to_owned();
                tokio::spawn(async move {
                    let node = Database::connect(&url).await?;
                    node.migrate().await?;
                    node.check_schema().await
                })
            })
            .collect();
        for node in nodes {
            node.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_database_without_schema_is_refused() {
    for engine in ENGINES {
        let scratch = ScratchDatabase::create(engine).await;
        let database = Database::connect(scratch.url()).await.unwrap();
        let refused = database.check_schema().await.unwrap_err();
        assert!(matches!(refused, StorageError::Schema(_)), "{refused:?}");
        assert!(refused.to_string().contains("jeton migrate"), "{refused}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_binary_is_refused() {
    on_both_engines(|database| async move {
        let mut tx = database.write().await.unwrap();
        let newer =
            "insert into _sqlx_migrations (version, description, installed_on, success, checksum,
                                                   execution_time)
                     values (99999, 'from the future', $1, true, $2, 0)";
        let checksum: &[u8] = &[0; 48];
        execute!(tx.conn(), newer, Timestamp::from_unix_seconds(0), checksum).unwrap();
        tx.commit().await.unwrap();

        for refused in [
            database.check_schema().await.unwrap_err(),
            database.migrate().await.unwrap_err(),
        ] {
            assert!(matches!(refused, StorageError::Schema(_)), "{refused:?}");
            assert!(refused.to_string().contains("newer binary"), "{refused}");
        }
    })
    .await;
}
