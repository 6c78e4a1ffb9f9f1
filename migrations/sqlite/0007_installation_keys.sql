-- Keys that outlive the master secret, each sealed under it (AES-256-GCM, bound to its purpose): `pepper` keys the hashes
-- of API keys and passwords, `attributes` those of sensitive attributes.
create table installation_keys (
    purpose text primary key,
    sealed_key blob not null
) strict;
