-- name: find_waiting
-- The waiting entry of a user with its live place; no row when the user does not wait.
select w.entry_id, w.event_id, queue_position(w.event_id, w.ticket) as position, w.requested_seats, w.status, w.created_at
  from waitlist_entries w
 where w.event_id = $1 and w.user_id = $2 and w.status = 'waiting' and w.ticket > 0;

-- name: list_waiting
-- A page of the queue in the order of service.
select w.entry_id, w.event_id, w.user_id, u.name, u.email, $2 + row_number() over (order by w.ticket) as position,
       w.requested_seats, w.status, w.created_at
  from (select * from waitlist_entries where event_id = $1 and status = 'waiting' order by ticket limit $3 offset $2) w
  left join users u using (user_id)
 order by w.ticket;

-- name: count_waiting
-- How many wait; no row when there is no such event.
select waiting_count from events where event_id = $1 and deleted_at is null;

-- name: leave_waitlist
-- Leaves the queue; whether the user waited there.
select leave_waitlist_v1($1, $2, $3);
