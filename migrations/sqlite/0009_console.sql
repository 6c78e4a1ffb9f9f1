-- People in the console. Whatever a browser holds is stored as its SHA-256 only.

create table console_sessions (
    id blob primary key,
    organization_id blob not null references organizations (id),
    user_id blob not null references users (principal_id),
    secret_hash blob not null unique,
    method text not null check (method in ('password', 'password_and_code', 'provider', 'provider_and_code')),
    provider text,
    address text not null,
    user_agent text not null,
    created_at integer not null,
    last_seen_at integer not null,
    ends_at integer not null
) strict;
create index console_sessions_by_user on console_sessions (user_id, id);

-- The password, or the provider's word, was right; the second factor is awaited.
create table pending_sign_ins (
    secret_hash blob primary key,
    organization_id blob not null references organizations (id),
    user_id blob not null references users (principal_id),
    method text not null check (method in ('password', 'provider')),
    provider text,
    tries integer not null,
    ends_at integer not null
) strict;
create index pending_sign_ins_by_user on pending_sign_ins (user_id);

-- What codes are computed from (AES-256-GCM, bound to the user); in force from confirmed_at on. last_step is the newest
-- time step whose code was used.
create table second_factors (
    user_id blob primary key references users (principal_id),
    organization_id blob not null references organizations (id),
    sealed_secret blob not null,
    last_step integer not null,
    created_at integer not null,
    confirmed_at integer
) strict;

create table recovery_codes (
    user_id blob not null references users (principal_id),
    code_hash blob not null,
    organization_id blob not null references organizations (id),
    used_at integer,
    primary key (user_id, code_hash)
) strict;

-- Who somebody is at a provider. A user has one identity per issuer at most.
create table user_identities (
    issuer text not null,
    subject text not null,
    organization_id blob not null references organizations (id),
    user_id blob not null references users (principal_id),
    created_at integer not null,
    primary key (issuer, subject),
    unique (user_id, issuer)
) strict;

-- Sign-ins that are on their way through a provider. The contents are sealed under a key that only `state` gives.
create table provider_attempts (
    state_hash blob primary key,
    contents blob not null,
    ends_at integer not null
) strict;
