-- name: event
-- The event's last version and how its queue is served.
select version, waitlist_policy from events where event_id = $1;

-- name: changes
-- Every transition of every seat, in order.
select version, seat_no, from_status, to_status, hold_id, booking_id, at
  from seat_changes where event_id = $1 order by version;

-- name: holds
-- Every hold there ever was.
select hold_id, user_id, seat_nos, status, idempotency_key, expires_at from holds where event_id = $1;

-- name: bookings
-- Every booking there ever was.
select booking_id, user_id, hold_id, entry_id, seat_nos, status, idempotency_key, created_at
  from bookings where event_id = $1;

-- name: entries
-- Everyone who ever waited.
select entry_id, user_id, requested_seats, status, ticket, created_at, updated_at
  from waitlist_entries where event_id = $1 order by ticket;
