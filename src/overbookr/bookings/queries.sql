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
