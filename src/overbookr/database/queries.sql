-- name: durability_settings
-- The three settings without which an acknowledged commit can be lost.
select
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as full_page_writes,
    current_setting('synchronous_commit') as synchronous_commit;

-- name: forget_plans
-- Those of the statements inside of functions too; each is planned at its next use.
discard plans;

-- name: try_migration_lock
-- Asked again and again rather than waited for: a session that waits inside a statement holds a snapshot, and
-- CREATE INDEX CONCURRENTLY in the process that has the lock would wait for that snapshot in turn.
select pg_try_advisory_lock($1::bigint);

-- name: release_migration_lock
select pg_advisory_unlock($1::bigint);

-- name: limit_lock_waits
-- A migration that waits for a lock makes everybody queue behind it, so it gives up early. Milliseconds, 0 for ever.
select set_config('lock_timeout', $1, false);

-- name: has_migration_tables
-- Whether the two tables of the migration runner are there, without creating them.
select
    to_regclass('schema_migrations') is not null
    and to_regclass('schema_functions') is not null as present;

-- name: create_migration_tables
-- Run as a script, hence two statements.
create table if not exists schema_migrations (
    version text primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);
create table if not exists schema_functions (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- name: applied_migrations
select version, name, checksum from schema_migrations order by version;

-- name: record_migration
insert into schema_migrations (version, name, checksum) values ($1, $2, $3);

-- name: applied_functions
select name, checksum from schema_functions;

-- name: record_functions
insert into schema_functions (name, checksum) values ($1, $2)
on conflict (name) do update set checksum = excluded.checksum, applied_at = clock_timestamp();

-- name: ping
select 1;

-- name: cluster_name
-- Which server answers; the embedded one carries a name made from its data directory.
select current_setting('cluster_name');

-- name: create_application_database
-- The name is fixed because CREATE DATABASE takes no parameters.
create database overbookr;
