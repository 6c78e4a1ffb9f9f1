-- One more way to sign, for Toucan. The column is made anew because its constraint names all of them.
alter table audiences add column signs_with text not null default 'ES256'
    check (signs_with in ('ES256', 'EdDSA', 'RS256', 'PS256', 'RS512', 'HS256'));
update audiences set signs_with = algorithm;
alter table audiences drop column algorithm;
alter table audiences rename column signs_with to algorithm;
