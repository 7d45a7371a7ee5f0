-- migrate:up

-- What the audits have found, for people to look at. Audits in a row that found the same are one row, so a sound house
-- has one for years, and a broken one tells since when.
set local lock_timeout = '5s';

create table audits (
  audit_id uuid not null,
  first_at timestamptz not null,                      -- the first of these audits
  last_at timestamptz not null,                       -- the latest of them, of which the rest is
  times integer not null,
  seconds double precision not null,                  -- how long it took
  population jsonb not null,                          -- how much there was to look at, by table
  counts jsonb not null,                              -- every law that was asked, and how many rows break it
  findings jsonb not null,                            -- of the laws that are broken, the first rows that break them
  constraint audits_pkey primary key (audit_id),
  constraint audits_follow_each_other check (first_at <= last_at and times > 0)
);
create index audits_by_time on audits (last_at);
