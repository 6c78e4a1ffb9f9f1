-- Timestamps are integer microseconds since the Unix epoch, UTC. JSON is text. UUIDs are 16-byte blobs.

-- One row. Its lock orders all changes that caches depend on (crates/storage/src/changes.rs).
create table change_counter (
    id integer primary key check (id = 1),
    version integer not null
) strict;
insert into change_counter (id, version) values (1, 0);

create table organizations (
    id blob primary key,
    slug text not null unique,
    name text not null,
    version integer not null default 0,
    created_at integer not null
) strict;
create index organizations_by_version on organizations (version);

-- Whoever can own API keys: users and service accounts.
create table principals (
    id blob primary key,
    organization_id blob not null references organizations (id),
    kind text not null check (kind in ('user', 'service_account')),
    name text not null,
    state text not null check (state in ('active', 'suspended')),
    created_at integer not null
) strict;
create index principals_by_organization on principals (organization_id, id);

-- The login of a principal of kind 'user'.
create table users (
    principal_id blob primary key references principals (id),
    organization_id blob not null references organizations (id),
    email text not null unique,
    password_hash text not null,
    role text not null check (role in ('owner', 'admin', 'member', 'viewer'))
) strict;

-- live_slot numbers an owner's live keys from 1 to the limit: the unique pair is what enforces the limit.
create table api_keys (
    id text primary key,
    organization_id blob not null references organizations (id),
    owner_id blob not null references principals (id),
    created_by blob references principals (id),
    live_slot integer,
    name text not null,
    secret_hash text not null,
    permissions text not null,
    ceiling text not null,
    allowed_networks text not null,
    rate_limit text,
    created_at integer not null,
    expires_at integer,
    disabled_at integer,
    revoked_at integer,
    unique (owner_id, live_slot),
    check (live_slot >= 1)
) strict;
create index api_keys_by_organization on api_keys (organization_id, id);

create table roles (
    organization_id blob not null references organizations (id),
    name text not null,
    definition text not null,
    primary key (organization_id, name)
) strict;

create table attributes (
    organization_id blob not null references organizations (id),
    name text not null,
    declaration text not null,
    primary key (organization_id, name)
) strict;

create table audiences (
    id blob primary key,
    organization_id blob not null references organizations (id),
    name text not null,
    aud text not null,
    algorithm text not null check (algorithm in ('ES256')),
    default_ttl_seconds integer not null check (default_ttl_seconds between 1 and max_ttl_seconds),
    max_ttl_seconds integer not null check (max_ttl_seconds between 1 and 86400),
    created_at integer not null,
    unique (organization_id, name)
) strict;

-- kid is the RFC 7638 thumbprint. sealed_private_key is AES-256-GCM, bound to the row's identity.
create table signing_keys (
    kid text primary key,
    organization_id blob not null references organizations (id),
    audience_id blob not null references audiences (id),
    state text not null check (state in ('next', 'active', 'previous', 'retired')),
    public_jwk text not null,
    sealed_private_key blob not null,
    created_at integer not null,
    activated_at integer
) strict;
create unique index one_active_signing_key on signing_keys (audience_id) where state = 'active';
create unique index one_next_signing_key on signing_keys (audience_id) where state = 'next';
create index signing_keys_by_organization on signing_keys (organization_id, kid);

create table sessions (
    id blob primary key,
    organization_id blob not null references organizations (id),
    api_key_id text not null,
    audience_id blob not null references audiences (id),
    kid text not null,
    subject text not null,
    roles text not null,
    attributes text not null,
    resources text not null,
    request_id text not null,
    client_address text not null,
    issued_at integer not null,
    expires_at integer not null
) strict;
create index sessions_by_organization on sessions (organization_id, id);
