-- The same tables as for SQLite, in the types of PostgreSQL.

-- One row. Its lock orders all changes that caches depend on (crates/storage/src/changes.rs).
create table change_counter (
    id integer primary key check (id = 1),
    version bigint not null
);
insert into change_counter (id, version) values (1, 0);

create table organizations (
    id uuid primary key,
    slug text not null unique,
    name text not null,
    version bigint not null default 0,
    created_at timestamptz not null
);
create index organizations_by_version on organizations (version);

-- Whoever can own API keys: users and service accounts.
create table principals (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    kind text not null check (kind in ('user', 'service_account')),
    name text not null,
    state text not null check (state in ('active', 'suspended')),
    created_at timestamptz not null
);
create index principals_by_organization on principals (organization_id, id);

-- The login of a principal of kind 'user'.
create table users (
    principal_id uuid primary key references principals (id),
    organization_id uuid not null references organizations (id),
    email text not null unique,
    password_hash text not null,
    role text not null check (role in ('owner', 'admin', 'member', 'viewer'))
);

-- live_slot numbers an owner's live keys from 1 to the limit: the unique pair is what enforces the limit.
create table api_keys (
    id text primary key,
    organization_id uuid not null references organizations (id),
    owner_id uuid not null references principals (id),
    created_by uuid references principals (id),
    live_slot integer,
    name text not null,
    secret_hash text not null,
    permissions jsonb not null,
    ceiling jsonb not null,
    allowed_networks jsonb not null,
    rate_limit jsonb,
    created_at timestamptz not null,
    expires_at timestamptz,
    disabled_at timestamptz,
    revoked_at timestamptz,
    unique (owner_id, live_slot),
    check (live_slot >= 1)
);
create index api_keys_by_organization on api_keys (organization_id, id);

create table roles (
    organization_id uuid not null references organizations (id),
    name text not null,
    definition jsonb not null,
    primary key (organization_id, name)
);

create table attributes (
    organization_id uuid not null references organizations (id),
    name text not null,
    declaration jsonb not null,
    primary key (organization_id, name)
);

create table audiences (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    name text not null,
    aud text not null,
    algorithm text not null check (algorithm in ('ES256')),
    default_ttl_seconds integer not null check (default_ttl_seconds between 1 and max_ttl_seconds),
    max_ttl_seconds integer not null check (max_ttl_seconds between 1 and 86400),
    created_at timestamptz not null,
    unique (organization_id, name)
);

-- kid is the RFC 7638 thumbprint. sealed_private_key is AES-256-GCM, bound to the row's identity.
create table signing_keys (
    kid text primary key,
    organization_id uuid not null references organizations (id),
    audience_id uuid not null references audiences (id),
    state text not null check (state in ('next', 'active', 'previous', 'retired')),
    public_jwk jsonb not null,
    sealed_private_key bytea not null,
    created_at timestamptz not null,
    activated_at timestamptz
);
create unique index one_active_signing_key on signing_keys (audience_id) where state = 'active';
create unique index one_next_signing_key on signing_keys (audience_id) where state = 'next';
create index signing_keys_by_organization on signing_keys (organization_id, kid);

create table sessions (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    api_key_id text not null,
    audience_id uuid not null references audiences (id),
    kid text not null,
    subject text not null,
    roles jsonb not null,
    attributes jsonb not null,
    resources jsonb not null,
    request_id text not null,
    client_address text not null,
    issued_at timestamptz not null,
    expires_at timestamptz not null
);
create index sessions_by_organization on sessions (organization_id, id);
