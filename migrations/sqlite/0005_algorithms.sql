-- More ways to sign. The column is made anew because its constraint named ES256 alone.
alter table audiences drop column algorithm;
alter table audiences add column algorithm text not null default 'ES256'
    check (algorithm in ('ES256', 'EdDSA', 'RS256', 'PS256', 'HS256'));
