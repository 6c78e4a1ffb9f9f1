-- The version at which the policy of an organization last changed: what is compiled stays good while other things
-- of the organization change.
alter table organizations add column policy_version integer not null default 0;
update organizations set policy_version = version;

-- Which rows of which tables a token may see.
create table row_rules (
    organization_id blob not null references organizations (id),
    name text not null,
    definition text not null,
    primary key (organization_id, name)
) strict;
