-- migrate:up

-- Reports add up counts instead of bookings. The law: for every event and day, what the spans say and what is pending
-- make together exactly what a recount of the bookings gives. A trigger keeps it, not the functions: it holds from the
-- instant at which this commits, for processes of the version before too, and for whoever else writes to bookings.
set local lock_timeout = '5s';

-- Counts that are in no span yet: rows are only added, and taken by fold_sales_v1. No index and no key, so that selling
-- pays for a row at the end of a small table and for nothing else.
create table sales_pending (
  event_id uuid not null,
  day date not null,                                  -- in UTC, of the booking's making, whatever is told of it
  bookings integer not null,
  cancelled integer not null,                         -- of those, how many were cancelled since
  seats integer not null                              -- of those that were not
) with (
  -- Emptied every few seconds and read whole: swept by what died, not by how much there is; nobody is to wait for its
  -- end being cut off; and it is small or empty whenever statistics are gathered, which would say nothing.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 1000000, vacuum_truncate = false
);

-- What was sold of an event in so many days from a first one, which is a multiple of them since 1970-01-01.
create table sales_spans (
  span_days integer not null,
  first_day date not null,
  event_id uuid not null,
  bookings bigint not null,
  cancelled bigint not null,
  seats bigint not null,
  constraint sales_spans_pkey primary key (span_days, first_day, event_id),
  constraint span_has_a_known_length check (span_days in (1, 8, 64)),
  constraint span_starts_at_its_multiple check ((first_day - date '1970-01-01') % span_days = 0)
) with (fillfactor = 80);                             -- the spans of today change all the time

-- What was sold on a day, of all events together.
create table sales_days (
  day date not null,
  bookings bigint not null,
  cancelled bigint not null,
  seats bigint not null,
  constraint sales_days_pkey primary key (day)
) with (fillfactor = 80);

-- Tells sales_pending what a statement did to bookings, in one insert however many they were. It waits for nothing.
create function record_sales() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into sales_pending (event_id, day, bookings, cancelled, seats)
    select b.event_id, (b.created_at at time zone 'UTC')::date, count(*),
           count(*) filter (where b.status = 'cancelled'),
           coalesce(sum(b.seats_count) filter (where b.status = 'active'), 0)
      from made b group by 1, 2;
  elsif tg_op = 'DELETE' then
    insert into sales_pending (event_id, day, bookings, cancelled, seats)
    select b.event_id, (b.created_at at time zone 'UTC')::date, -count(*),
           -count(*) filter (where b.status = 'cancelled'),
           -coalesce(sum(b.seats_count) filter (where b.status = 'active'), 0)
      from gone b group by 1, 2;
  else
    insert into sales_pending (event_id, day, bookings, cancelled, seats)
    select b.event_id, (b.created_at at time zone 'UTC')::date, sum(b.times),
           coalesce(sum(b.times) filter (where b.status = 'cancelled'), 0),
           coalesce(sum(b.times * b.seats_count) filter (where b.status = 'active'), 0)
      from (select 1 as times, m.event_id, m.created_at, m.status, m.seats_count from made m
            union all
            select -1, g.event_id, g.created_at, g.status, g.seats_count from gone g) b
     group by 1, 2;
  end if;
  return null;
end $$;
create trigger sales_are_recorded_when_made after insert on bookings
  referencing new table as made for each statement execute function record_sales();
create trigger sales_are_recorded_when_changed after update on bookings
  referencing old table as gone new table as made for each statement execute function record_sales();
create trigger sales_are_recorded_when_gone after delete on bookings
  referencing old table as gone for each statement execute function record_sales();
