-- Sessions that renew each other are a chain: root_id is its first, ends_at when the last one ends at the latest.
alter table sessions add column root_id blob;
alter table sessions add column ends_at integer;
alter table sessions add column renewed_at integer;
alter table sessions add column revoked_at integer;
update sessions set root_id = id;
create index sessions_by_subject on sessions (organization_id, subject, id);
create index renewed_sessions on sessions (root_id) where root_id <> id;
create index revoked_sessions on sessions (organization_id, expires_at) where revoked_at is not null;

-- Unix milliseconds of the last revocation, and more than the one before: it counts on after a backup is restored.
alter table organizations add column revocation_version integer not null default 0;

-- What fits and was issued at "before" or earlier is void. No token that it voids can be valid after ends_at.
create table cutoffs (
    organization_id blob not null references organizations (id),
    kind text not null
        check (kind in ('organization', 'api_key', 'subject', 'audience', 'signing_key', 'role', 'attribute')),
    name text not null,
    value text not null,
    before integer not null,
    ends_at integer not null,
    primary key (organization_id, kind, name, value)
) strict;
create index cutoffs_by_end on cutoffs (ends_at);

-- The origins of web pages that may renew tokens of an audience: browsers ask about an origin before they say whose
-- token they have.
create table audience_origins (
    origin text not null,
    audience_id blob not null references audiences (id),
    primary key (origin, audience_id)
) strict;
create index audience_origins_by_audience on audience_origins (audience_id);
