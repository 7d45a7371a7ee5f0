-- Houses of any size by SQL. What the measured operations read and write is there as the product would have made it; of
-- past sales, what they leave behind in the tables that grow.

-- name: insert_sold_out
-- An event without a free seat, $2 pairs of them, for which $3 wait.
insert into events (event_id, name, venue, start_time, seats_count, booked_count, waiting_count, waitlist_tickets, version)
values ($1, 'Sold out', 'Bench hall', now() + interval '30 days', 2 * $2::integer, 2 * $2::integer, $3::integer,
        $2::integer + $3::integer, 4 * $2::bigint);

-- name: insert_entries
-- Those who were served, a pair each, by the users $4 from the first on; and those who wait, from the last on.
insert into waitlist_entries (entry_id, event_id, user_id, requested_seats, status, ticket, created_at, updated_at)
select gen_random_uuid(), $1::uuid, ($4::uuid[])[1 + (n - 1) % cardinality($4)], 2, 'promoted', n, now(), now()
  from generate_series(1, $2::integer) n
union all
select gen_random_uuid(), $1::uuid, ($4::uuid[])[cardinality($4) + 1 - n], 2, 'waiting', $2::integer + n, now(), now()
  from generate_series(1, $3::integer) n;

-- name: insert_bookings
insert into bookings (booking_id, event_id, user_id, entry_id, seat_nos, seats_count, created_at, updated_at)
select gen_random_uuid(), w.event_id, w.user_id, w.entry_id, array['S' || 2 * w.ticket - 1, 'S' || 2 * w.ticket], 2, now(), now()
  from waitlist_entries w where w.event_id = $1 and w.status = 'promoted';

-- name: insert_booking_seats
insert into booking_seats (event_id, booking_id, seat_no)
select b.event_id, b.booking_id, s from bookings b cross join unnest(b.seat_nos) s where b.event_id = $1;

-- name: insert_seats
insert into seats (event_id, seat_no, seat_id, status, booking_id, sort_key, ordinal)
select b.event_id, s, gen_random_uuid(), 'booked', b.booking_id, s, substr(s, 2)::integer
  from bookings b cross join unnest(b.seat_nos) s where b.event_id = $1;

-- name: insert_changes
-- Each seat came into being and was booked.
insert into seat_changes (event_id, version, seat_no, from_status, to_status, booking_id, at)
select s.event_id, s.ordinal + c.later * (select count(*) from seats where event_id = $1), s.seat_no,
       case c.later when 1 then 'available' end, case c.later when 1 then 'booked' else 'available' end,
       case c.later when 1 then s.booking_id end, now()
  from seats s cross join (values (0), (1)) c (later) where s.event_id = $1;

-- name: insert_quiet_events
-- $1 events on sale of which nobody wants anything, with $2 seats each.
with quiet as (
  insert into events (event_id, name, venue, start_time, seats_count)
  select gen_random_uuid(), 'Quiet ' || n, 'Bench hall', now() + interval '30 days', $2::integer
    from generate_series(1, $1::integer) n returning event_id)
insert into seats (event_id, seat_no, seat_id, sort_key, ordinal)
select q.event_id, 'S' || n, gen_random_uuid(), 'S' || n, n from quiet q cross join generate_series(1, $2::integer) n;

-- name: insert_past_holds
-- What bookings of the events $1 were made from.
insert into holds (hold_id, event_id, user_id, seat_nos, status, created_at, expires_at, ended_at)
select hold_id, event_id, user_id, seat_nos, 'converted', created_at, created_at + interval '5 minutes', created_at
  from bookings where event_id = any ($1);

-- name: insert_past_booking_seats
insert into booking_seats (event_id, booking_id, seat_no, released_at)
select b.event_id, b.booking_id, s, b.cancelled_at from bookings b cross join unnest(b.seat_nos) s
 where b.event_id = any ($1);

-- name: insert_past_mails
insert into mails (booking_id, event_id, kind, attempts, next_attempt_at, created_at, sent_at)
select booking_id, event_id, 'booking_confirmed', 1, created_at, created_at, created_at
  from bookings where event_id = any ($1);

-- name: list_bookings
-- The first $2 bookings of an event and whose they are.
select booking_id, user_id from bookings where event_id = $1 and status = 'active' order by seat_nos limit $2;

-- name: list_labels
select seat_no from seats where event_id = $1 order by ordinal limit $2;

-- name: last_waiter
select user_id from waitlist_entries where event_id = $1 and status = 'waiting' order by ticket desc limit 1;
