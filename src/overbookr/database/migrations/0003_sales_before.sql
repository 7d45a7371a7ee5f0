-- migrate:up

-- Counts what was sold before sales were recorded. From the instant at which the triggers were there every transaction
-- changes bookings and counts alike, so the difference between the two is the same in every snapshot; one statement
-- sees both in one snapshot. So selling goes on meanwhile, however many bookings there are. Nobody reads these counts
-- before all migrations are done.
set local lock_timeout = '5s';

insert into sales_pending (event_id, day, bookings, cancelled, seats)
select b.event_id, b.day, sum(b.bookings), sum(b.cancelled), sum(b.seats)
  from (select event_id, (created_at at time zone 'UTC')::date as day, count(*) as bookings,
               count(*) filter (where status = 'cancelled') as cancelled,
               coalesce(sum(seats_count) filter (where status = 'active'), 0) as seats
          from bookings group by 1, 2
        union all
        select event_id, day, -bookings, -cancelled, -seats from sales_pending
        union all
        select event_id, first_day, -bookings, -cancelled, -seats from sales_spans where span_days = 1) b
 group by b.event_id, b.day
having (sum(b.bookings), sum(b.cancelled), sum(b.seats)) <> (0, 0, 0);
