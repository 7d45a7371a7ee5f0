-- name: now
-- The instant of this transaction by the database clock.
select now();

-- name: totals
-- Of the bookings made from $1 to $2, both included.
select count(*), coalesce(sum(seats_count) filter (where status = 'active'), 0)::bigint,
       count(*) filter (where status = 'cancelled'), count(*) filter (where status = 'active')
  from bookings
 where created_at between $1 and $2;

-- name: by_day
-- The days, in UTC, on which bookings were made.
select date_trunc('day', created_at, 'UTC') as day, count(*),
       coalesce(sum(seats_count) filter (where status = 'active'), 0)::bigint
  from bookings
 where created_at between $1 and $2
 group by day order by day;

-- name: by_status
select status, count(*) from bookings where created_at between $1 and $2 group by status order by status;

-- name: top_events
-- The $3 events of which most seats were booked, deleted ones included.
select e.event_id, e.name, b.bookings, b.seats, least(e.capacity, e.seats_count), e.booked_count
  from (select event_id, count(*) as bookings,
               coalesce(sum(seats_count) filter (where status = 'active'), 0)::bigint as seats
          from bookings where created_at between $1 and $2 group by event_id) b
  join events e using (event_id)
 order by b.seats desc, e.name, e.event_id
 limit $3;

-- name: event_utilization
-- The $3 fullest events, those without bookings in the range too; deleted ones only with.
select e.event_id, e.name, least(e.capacity, e.seats_count), e.booked_count, coalesce(b.seats, 0)::bigint
  from events e
  left join (select event_id, coalesce(sum(seats_count) filter (where status = 'active'), 0) as seats
               from bookings where created_at between $1 and $2 group by event_id) b using (event_id)
 where e.deleted_at is null or b.event_id is not null
 order by e.booked_count desc, e.name, e.event_id
 limit $3;
