-- More ways to sign. The column is made anew because its constraint named ES256 alone.
alter table audiences drop column algorithm;
alter table audiences add column algorithm text not null default 'ES256'
    check (algorithm in ('ES256', 'EdDSA', 'RS256', 'PS256', 'HS256'));

-- What an audience's tokens look like. A removed audience keeps its row, for sessions name it.
alter table audiences add column settings jsonb not null default '{}';
alter table audiences add column deleted_at timestamptz;

-- When a key stopped signing, or was taken out of use.
alter table signing_keys add column retired_at timestamptz;
