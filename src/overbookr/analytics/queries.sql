-- Every booking of a range is counted once: in a whole day, be it folded or pending, or in a part of a day at one of
-- the range's ends, which is read from the bookings. Parts with the sign -1 are taken away from a whole day.

-- name: now
-- As the first statement of a transaction with one snapshot: everything that the snapshot sees was made before it.
select clock_timestamp();

-- name: sales_by_day
-- The days, in UTC, on which bookings were made: whole ones from $1 to $2, and parts from $3 until before $4, signed
-- $5.
select s.day::timestamp at time zone 'UTC', sum(s.bookings)::bigint, sum(s.cancelled)::bigint, sum(s.seats)::bigint
  from (select day, bookings, cancelled, seats from sales_days where day between $1 and $2
        union all
        select day, bookings, cancelled, seats from sales_pending where day between $1 and $2
        union all
        select (b.created_at at time zone 'UTC')::date, e.sign, case b.status when 'cancelled' then e.sign else 0 end,
               case b.status when 'active' then e.sign * b.seats_count else 0 end
          from unnest($3::timestamptz[], $4::timestamptz[], $5::integer[]) e (start, before, sign)
          join bookings b on b.created_at >= e.start and b.created_at < e.before) s
 group by s.day
having sum(s.bookings) <> 0
 order by s.day;

-- name: sales_by_event
-- The $8 events of which most seats were booked, deleted ones included (`top`), and the $8 fullest, those without
-- bookings in the range too, deleted ones only with (`fullest`). Days and parts as in sales_by_day; $6 and $7 are the
-- lengths and first days of the spans that are the whole days.
with sales as materialized (
  select s.event_id, sum(s.bookings)::bigint as bookings, sum(s.seats)::bigint as seats
    from (select x.event_id, x.bookings, x.seats
            from unnest($6::integer[], $7::date[]) w (span_days, first_day)
            -- Kept from being a join, which could be made by reading the spans of all times.
            cross join lateral (
              select p.event_id, p.bookings, p.seats from sales_spans p
               where p.span_days = w.span_days and p.first_day = w.first_day offset 0) x
          union all
          select event_id, bookings, seats from sales_pending where day between $1 and $2
          union all
          select b.event_id, e.sign, case b.status when 'active' then e.sign * b.seats_count else 0 end
            from unnest($3::timestamptz[], $4::timestamptz[], $5::integer[]) e (start, before, sign)
            join bookings b on b.created_at >= e.start and b.created_at < e.before) s
   group by s.event_id
  having sum(s.bookings) <> 0),
top as (
  select e.event_id, e.name, s.bookings, s.seats, e.capacity, e.seats_count, e.booked_count
    from sales s join events e using (event_id)
   order by s.seats desc, e.name, e.event_id
   limit $8),
fullest as (
  select e.event_id, e.name, coalesce(s.bookings, 0) as bookings, coalesce(s.seats, 0) as seats, e.capacity,
         e.seats_count, e.booked_count
    from events e left join sales s using (event_id)
   where e.deleted_at is null or s.event_id is not null
   order by e.booked_count desc, e.name, e.event_id
   limit $8)
select 'top' as section, row_number() over (order by seats desc, name, event_id) as place, event_id, name, bookings,
       seats, least(capacity, seats_count) as capacity, booked_count
  from top
union all
select 'fullest', row_number() over (order by booked_count desc, name, event_id), event_id, name, bookings, seats,
       least(capacity, seats_count), booked_count
  from fullest
 order by section, place;

-- name: fold_sales
-- Moves up to $1 pending rows into the spans; how many there were.
select fold_sales_v1($1);

-- name: event_version
-- The number of an event's last change; nothing for an event that is not there.
select version from events where event_id = $1 and deleted_at is null;

-- name: sales_by_minute
-- What became of seats of the event $1, by minute, in the changes after $2 up to $3. A range of the feed's key.
select date_trunc('minute', at),
       count(*) filter (where from_status = 'available' and to_status = 'held'),
       count(*) filter (where from_status = 'held' and to_status = 'booked'),
       count(*) filter (where from_status = 'held' and to_status = 'available'),
       count(*) filter (where from_status = 'available' and to_status = 'booked'),
       count(*) filter (where from_status = 'booked')
  from seat_changes
 where event_id = $1 and version > $2 and version <= $3
   and from_status is not null and to_status is not null and from_status <> 'blocked' and to_status <> 'blocked'
 group by 1 order by 1;
