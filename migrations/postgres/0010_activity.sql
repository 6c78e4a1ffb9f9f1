-- How many tokens were issued (refusal_code is empty) and how many requests were refused, by minute: the number of whole
-- minutes since the Unix epoch. A chart, written every few seconds.
create table activity_minutes (
    organization_id uuid not null references organizations (id),
    minute bigint not null,
    refusal_code text not null,
    requests bigint not null,
    primary key (organization_id, minute, refusal_code)
);
create index activity_by_minute on activity_minutes (minute);

-- The same for tokens of each API key, by hour since the Unix epoch. No reference to api_keys: counts outlive a deleted
-- key.
create table activity_key_hours (
    organization_id uuid not null references organizations (id),
    hour bigint not null,
    api_key_id text not null,
    tokens_issued bigint not null,
    primary key (organization_id, hour, api_key_id)
);
create index activity_key_hours_by_hour on activity_key_hours (hour);

-- The servers that run on this database. Each writes its own row, every few seconds.
create table nodes (
    id uuid primary key,
    name text not null,
    version text not null,
    started_at timestamptz not null,
    seen_at timestamptz not null,
    confirmed_at timestamptz not null,
    change_version bigint not null,
    versions_behind bigint not null
);
create index nodes_by_last_sign on nodes (seen_at);

-- Audit events are looked for by time.
create index audit_events_by_time on audit_events (organization_id, at, id);
