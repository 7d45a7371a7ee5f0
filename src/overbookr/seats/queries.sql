-- name: list_created_seats
-- Those of the given ids that came into being, in natural order.
select seat_id, seat_no, now_status(status, hold_expires_at, false, now()), section, row_label, category, created_at, updated_at
  from seats where event_id = $1 and seat_id = any ($2) order by sort_key, seat_no;

-- name: add_seats
-- Adds seats by label under the event's lock; false when there is no such event.
select add_seats_v1($1, $2, $3, $4, $5);

-- name: block_seats
-- Blocks or unblocks under the event's lock.
select outcome, seat_nos, statuses from block_seats_v1($1, $2, $3, $4, $5);

-- name: replace_plan
-- Puts a plan in place under the event's lock.
select outcome, chart_version, seats, seat_nos from replace_plan_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);
