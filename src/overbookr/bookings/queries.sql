-- name: find_booking
-- One booking; only its owner's unless $3 (an administrator asks).
select booking_id, event_id, seats_count, seat_nos, status, created_at, updated_at, user_id
  from bookings where booking_id = $1 and (user_id = $2 or $3);

-- name: list_bookings
-- A page of a user's bookings, newest first.
select booking_id, event_id, seats_count, seat_nos, status, created_at, updated_at
  from bookings where user_id = $1 order by created_at desc, booking_id desc limit $2 offset $3;

-- name: count_bookings
-- How many bookings a user has.
select count(*) from bookings where user_id = $1;

-- name: search_by_reference
-- One booking by its id, of the event $2 and the customer with the e-mail $3 where those are given.
select b.booking_id, b.seats_count, b.seat_nos, b.status, case when b.hold_id is null then 'waitlist' else 'hold' end,
       b.created_at, b.updated_at, b.cancelled_at, e.event_id, e.name, e.start_time, b.user_id, u.name, u.email
  from bookings b
  -- Kept from being joins, which could be made by reading all events and all users.
  cross join lateral (select event_id, name, start_time from events where event_id = b.event_id offset 0) e
  left join lateral (select name, email from users where user_id = b.user_id offset 0) u on true
 where b.booking_id = $1 and ($2::uuid is null or b.event_id = $2) and ($3::text is null or u.email = $3);

-- name: search_by_customer
-- The bookings of the customer with the e-mail $1, of the event $2 if given, before $3, newest first.
select b.booking_id, b.seats_count, b.seat_nos, b.status, case when b.hold_id is null then 'waitlist' else 'hold' end,
       b.created_at, b.updated_at, b.cancelled_at, e.event_id, e.name, e.start_time, b.user_id, u.name, u.email
  from (select * from bookings
         where user_id = (select user_id from users where email = $1) and ($2::uuid is null or event_id = $2)
           and ($3::uuid is null or booking_id < $3)
         order by booking_id desc limit $4) b
  -- Kept from being joins, which could be made by reading all events and all users.
  cross join lateral (select event_id, name, start_time from events where event_id = b.event_id offset 0) e
  left join lateral (select name, email from users where user_id = b.user_id offset 0) u on true
 order by b.booking_id desc;

-- name: search_by_seat
-- Who has the seat $2 of the event $1 now, if the customer has the e-mail $3 or that is null.
select b.booking_id, b.seats_count, b.seat_nos, b.status, case when b.hold_id is null then 'waitlist' else 'hold' end,
       b.created_at, b.updated_at, b.cancelled_at, e.event_id, e.name, e.start_time, b.user_id, u.name, u.email
  from seats s
  join bookings b on b.booking_id = s.booking_id and b.event_id = s.event_id
  -- Kept from being joins, which could be made by reading all events and all users.
  cross join lateral (select event_id, name, start_time from events where event_id = b.event_id offset 0) e
  left join lateral (select name, email from users where user_id = b.user_id offset 0) u on true
 where s.event_id = $1 and s.seat_no = $2 and ($3::text is null or u.email = $3);

-- name: search_by_event
-- The bookings of the event $1 before $2, newest first. The count holds always; it names the index that is meant.
select b.booking_id, b.seats_count, b.seat_nos, b.status, case when b.hold_id is null then 'waitlist' else 'hold' end,
       b.created_at, b.updated_at, b.cancelled_at, e.event_id, e.name, e.start_time, b.user_id, u.name, u.email
  from (select * from bookings
         -- An equal event_id would be taken to leave so few that they might as well be sorted; this is read from its end.
         where (event_id, booking_id) < ($1, $2) and event_id >= $1 and seats_count > 0
         order by event_id desc, booking_id desc limit $3) b
  -- Kept from being joins, which could be made by reading all events and all users.
  cross join lateral (select event_id, name, start_time from events where event_id = b.event_id offset 0) e
  left join lateral (select name, email from users where user_id = b.user_id offset 0) u on true
 order by b.booking_id desc;

-- name: search_newest
-- All bookings before $1, newest first.
select b.booking_id, b.seats_count, b.seat_nos, b.status, case when b.hold_id is null then 'waitlist' else 'hold' end,
       b.created_at, b.updated_at, b.cancelled_at, e.event_id, e.name, e.start_time, b.user_id, u.name, u.email
  from (select * from bookings where booking_id < $1 order by booking_id desc limit $2) b
  -- Kept from being joins, which could be made by reading all events and all users.
  cross join lateral (select event_id, name, start_time from events where event_id = b.event_id offset 0) e
  left join lateral (select name, email from users where user_id = b.user_id offset 0) u on true
 order by b.booking_id desc;
