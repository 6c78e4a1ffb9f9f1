-- Tokens that are encrypted or opaque are recognized by their SHA-256. The claims are encrypted under a key of the
-- organization, because introspection must tell what the token cannot.
alter table sessions add column reference_hash bytea;
alter table sessions add column payload_ciphertext bytea;
create unique index session_references on sessions (reference_hash) where reference_hash is not null;
