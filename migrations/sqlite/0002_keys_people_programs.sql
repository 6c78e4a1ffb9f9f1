-- The whole life of an API key. During a rotation's grace period the previous secret works beside the new one.
alter table api_keys add column previous_secret_hash text;
alter table api_keys add column previous_secret_until integer;
alter table api_keys add column revoked_reason text;
-- The name in lower case (Unicode's, which not every engine's lower() knows), for searching.
alter table api_keys add column name_folded text not null default '';
update api_keys set name_folded = lower(name);
create index api_keys_newest_first on api_keys (organization_id, created_at, id);

-- No key of the organization may live longer than this; null for no limit.
alter table organizations add column max_key_lifetime_seconds integer check (max_key_lifetime_seconds > 0);

-- Written in the transaction of the session rows, one upsert per key and group. No reference to api_keys: counts
-- outlive a deleted key.
create table api_key_usage (
    api_key_id text primary key,
    organization_id blob not null references organizations (id),
    tokens_issued integer not null,
    last_used_at integer not null,
    last_used_address text not null
) strict;
create index api_key_usage_by_organization on api_key_usage (organization_id, api_key_id);

-- Days are UTC, as YYYY-MM-DD.
create table api_key_usage_days (
    api_key_id text not null,
    day text not null,
    organization_id blob not null references organizations (id),
    tokens_issued integer not null,
    primary key (api_key_id, day)
) strict;

-- Append-only. detail holds what changed, without secrets.
create table audit_events (
    id blob primary key,
    organization_id blob not null references organizations (id),
    at integer not null,
    actor_kind text not null,
    actor_id text not null,
    action text not null,
    target_kind text not null,
    target_id text not null,
    detail text not null,
    client_address text,
    request_id text
) strict;
create index audit_events_by_organization on audit_events (organization_id, id);
