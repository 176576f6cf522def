-- Two databases, each with a role that owns it and that cannot reach anything else. PostgreSQL's image runs this once, as
-- the superuser, when its volume is empty. psql reads the passwords from the environment, so any characters may be in them.
\set ON_ERROR_STOP on
\getenv dagster_password DAGSTER_POSTGRES_PASSWORD
\getenv lake_password LAKE_POSTGRES_PASSWORD

create role dagster login password :'dagster_password';
create role lake login password :'lake_password';

create database dagster owner dagster;
create database lake owner lake;
revoke all on database dagster, lake, postgres, template1 from public;
