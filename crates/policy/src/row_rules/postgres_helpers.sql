-- Row filters of Jeton. Generated from the policy: change the policy, not this script.
--
-- The functions read the claims of a verified token from the setting request.jwt.claims. Claims that are missing or
-- malformed, and attributes that are missing, empty or of another type than declared, are null: no row matches them,
-- and no error repeats them.

create schema if not exists jeton;
grant usage on schema jeton to public;

-- Catches errors, which needs a subtransaction; so it is not marked as safe for parallel workers.
create or replace function jeton.claims() returns jsonb
language plpgsql stable set search_path = '' as $jeton$
begin
  return nullif(current_setting('request.jwt.claims', true), '')::jsonb;
exception when others then
  return null;
end
$jeton$;

-- A list of roles with anything but texts in it is no list of roles.
create or replace function jeton.has_role(wanted text[]) returns boolean
language sql stable set search_path = '' as $jeton$
  select case when jsonb_typeof(roles) = 'array' then
    roles ?| wanted
    and not exists (select from jsonb_array_elements(roles) as role where jsonb_typeof(role) <> 'string')
  else false end
  from (select jeton.claims() -> 'roles' as roles) as claim
$jeton$;

create or replace function jeton.attribute(name text) returns jsonb
language sql stable set search_path = '' as $jeton$
  select jeton.claims() -> 'attributes' -> name
$jeton$;

-- Every item of a list, one by one. Nothing when the value is no list.
create or replace function jeton.items(value jsonb) returns setof jsonb
language sql immutable set search_path = '' as $jeton$
  select jsonb_array_elements(case when jsonb_typeof(value) = 'array' then value end)
$jeton$;

-- A text that a person can see, without control characters and without characters that reorder it.
create or replace function jeton.to_text(value jsonb) returns text
language sql immutable set search_path = '' as $jeton$
  select case when jsonb_typeof(value) = 'string'
    and value #>> '{}' !~ E'[\\u0001-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]'
    and value #>> '{}' ~ E'[^ \\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180e\\u2000-\\u200f\\u202f\\u205f-\\u2064\\u3000\\u3164\\ufeff\\uffa0]'
  then value #>> '{}' end
$jeton$;

-- A whole number that every JSON reader keeps exactly.
create or replace function jeton.to_bigint(value jsonb) returns bigint
language sql immutable set search_path = '' as $jeton$
  select case when jsonb_typeof(value) = 'number' and value #>> '{}' ~ '^-?[0-9]{1,16}$' then
    case when abs((value #>> '{}')::bigint) <= 9007199254740991 then (value #>> '{}')::bigint end
  end
$jeton$;

create or replace function jeton.to_numeric(value jsonb) returns numeric
language sql immutable set search_path = '' as $jeton$
  select case when jsonb_typeof(value) = 'number' then
    case when abs((value #>> '{}')::numeric) < 9007199254740992 then (value #>> '{}')::numeric end
  end
$jeton$;

create or replace function jeton.to_boolean(value jsonb) returns boolean
language sql immutable set search_path = '' as $jeton$
  select case when jsonb_typeof(value) = 'boolean' then (value #>> '{}')::boolean end
$jeton$;

-- A day that exists, written YYYY-MM-DD. Checked before it is converted, since a failed conversion is an error.
create or replace function jeton.to_date(value jsonb) returns date
language sql immutable set search_path = '' as $jeton$
  select case when jsonb_typeof(value) = 'string'
      and value #>> '{}' ~ '^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' then
    case when substr(value #>> '{}', 9)::integer <= extract(day from
        make_date(substr(value #>> '{}', 1, 4)::integer, substr(value #>> '{}', 6, 2)::integer, 1)
        + interval '1 month' - interval '1 day') then
      make_date(substr(value #>> '{}', 1, 4)::integer, substr(value #>> '{}', 6, 2)::integer,
        substr(value #>> '{}', 9)::integer)
    end
  end
$jeton$;

create or replace function jeton.attribute_text(name text) returns text
language sql stable set search_path = '' as $jeton$
  select jeton.to_text(jeton.attribute(name))
$jeton$;

create or replace function jeton.attribute_bigint(name text) returns bigint
language sql stable set search_path = '' as $jeton$
  select jeton.to_bigint(jeton.attribute(name))
$jeton$;

create or replace function jeton.attribute_numeric(name text) returns numeric
language sql stable set search_path = '' as $jeton$
  select jeton.to_numeric(jeton.attribute(name))
$jeton$;

create or replace function jeton.attribute_boolean(name text) returns boolean
language sql stable set search_path = '' as $jeton$
  select jeton.to_boolean(jeton.attribute(name))
$jeton$;

create or replace function jeton.attribute_date(name text) returns date
language sql stable set search_path = '' as $jeton$
  select jeton.to_date(jeton.attribute(name))
$jeton$;

-- Lists: null when empty, and as soon as one item cannot be used.

create or replace function jeton.attribute_text_list(name text) returns text[]
language sql stable set search_path = '' as $jeton$
  select array_agg(item) from (select jeton.to_text(value) as item from jeton.items(jeton.attribute(name)) as value) as list
  having bool_and(item is not null)
$jeton$;

create or replace function jeton.attribute_bigint_list(name text) returns bigint[]
language sql stable set search_path = '' as $jeton$
  select array_agg(item) from (select jeton.to_bigint(value) as item from jeton.items(jeton.attribute(name)) as value) as list
  having bool_and(item is not null)
$jeton$;

create or replace function jeton.attribute_numeric_list(name text) returns numeric[]
language sql stable set search_path = '' as $jeton$
  select array_agg(item) from (select jeton.to_numeric(value) as item from jeton.items(jeton.attribute(name)) as value) as list
  having bool_and(item is not null)
$jeton$;

create or replace function jeton.attribute_boolean_list(name text) returns boolean[]
language sql stable set search_path = '' as $jeton$
  select array_agg(item) from (select jeton.to_boolean(value) as item from jeton.items(jeton.attribute(name)) as value) as list
  having bool_and(item is not null)
$jeton$;

create or replace function jeton.attribute_date_list(name text) returns date[]
language sql stable set search_path = '' as $jeton$
  select array_agg(item) from (select jeton.to_date(value) as item from jeton.items(jeton.attribute(name)) as value) as list
  having bool_and(item is not null)
$jeton$;
