-- name: insert_event
insert into events (event_id, name, venue, start_time) values ($1, $2, 'Bench hall', now() + interval '30 days');

-- name: add_seats
-- By the product's own function, so that counters, versions and the feed are as they would be.
select add_seats_v1($1, $2, $3, $4, 10);

-- name: settle
vacuum analyze;

-- name: end_sessions
select pg_terminate_backend(pid) from pg_stat_activity where datname = $1;

-- name: count_taken
-- Seats of the yardstick in a status.
select count(*) from seats where status = $1;

-- name: seat_statuses
-- As a map shows them, in the order of the chart.
select seat_no, status from seats where event_id = $1 order by ordinal, sort_key, seat_no;

-- name: insert_past_events
-- Events of a year of sales, for the reports; $1 ids.
insert into events (event_id, name, venue, start_time, seats_count)
select e.id, 'Show ' || e.n, 'Bench hall', now() + interval '30 days', 100000
  from unnest($1::uuid[]) with ordinality e (id, n);

-- name: insert_past_bookings
-- $3 bookings in the order of their time, spread evenly over 366 days and the events $1 and users $2; one in nineteen is
-- cancelled. Their holds, which no report reads, are left out: the session must not check foreign keys.
insert into bookings (booking_id, event_id, user_id, hold_id, seat_nos, seats_count, status, idempotency_key,
                      created_at, updated_at, cancelled_at)
select gen_random_uuid(), ($1::uuid[])[1 + n % cardinality($1)], ($2::uuid[])[1 + n % cardinality($2)],
       gen_random_uuid(), array['S' || 2 * n, 'S' || 2 * n + 1], 2, case when n % 19 = 0 then 'cancelled' else 'active' end,
       'key-' || n, t.at, t.at, case when n % 19 = 0 then t.at end
  from generate_series($4::bigint, $5::bigint) n
 cross join lateral (select now() - (($3 - n)::double precision / $3) * interval '366 days' as at) t;

-- name: count_past_bookings
update events e set booked_count = b.seats
  from (select event_id, coalesce(sum(seats_count) filter (where status = 'active'), 0) as seats from bookings group by event_id) b
 where b.event_id = e.event_id;

-- name: count_past_sales
-- With triggers off nothing was recorded; this counts it all.
select recount_sales_v1();

-- name: create_commits
create table commits (commit_id bigint primary key, at timestamptz not null);

-- name: commit_row
insert into commits (commit_id, at) values ($1, clock_timestamp());

-- name: server_settings
select name, setting, unit from pg_settings
 where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method', 'shared_buffers',
                'max_wal_size', 'wal_compression', 'max_connections', 'data_checksums')
 order by name;

-- name: count_promoted
select count(*) from waitlist_entries where status = 'promoted';

-- name: extensions
-- Those that this server could make.
select name from pg_available_extensions;

-- name: has_database
select exists (select from pg_database where datname = $1);
