use storage::{
    BatchSql, Conn, OrganizationId, SessionId, StorageError, execute_batch, fetch_optional,
};

const INSERT: BatchSql = BatchSql {
    sqlite: "insert into sessions (id, organization_id, audience_id, api_key_id, kid, subject, roles, attributes,
                                   resources, request_id, client_address, issued_at, expires_at)
             select unhex(value ->> 'id'), unhex(value ->> 'organization_id'), unhex(value ->> 'audience_id'),
                    value ->> 'api_key_id', value ->> 'kid', value ->> 'subject', value -> 'roles',
                    value -> 'attributes', value -> 'resources', value ->> 'request_id',
                    value ->> 'client_address', (value ->> 'issued_at') * 1000000,
                    (value ->> 'expires_at') * 1000000
             from json_each($1)",
    postgres: "insert into sessions (id, organization_id, audience_id, api_key_id, kid, subject, roles, attributes,
                                     resources, request_id, client_address, issued_at, expires_at)
               select r.id, r.organization_id, r.audience_id, r.api_key_id, r.kid, r.subject, r.roles,
                      r.attributes, r.resources, r.request_id, r.client_address, to_timestamp(r.issued_at),
                      to_timestamp(r.expires_at)
               from jsonb_to_recordset($1::jsonb) as r(
                   id uuid, organization_id uuid, audience_id uuid, api_key_id text, kid text, subject text,
                   roles jsonb, attributes jsonb, resources jsonb, request_id text, client_address text,
                   issued_at bigint, expires_at bigint)",
};

/// Writes all rows of the JSON list in one statement.
pub(super) async fn insert(conn: Conn<'_>, rows: &str) -> Result<u64, StorageError> {
    execute_batch(conn, INSERT, rows).await
}

/// Is there a row of this session in this organization?
pub async fn exists(
    conn: Conn<'_>,
    organization: OrganizationId,
    session: SessionId,
) -> Result<bool, StorageError> {
    let sql = "select subject from sessions where id = $1 and organization_id = $2";
    Ok(fetch_optional!(conn, (String,), sql, session, organization)?.is_some())
}
