-- name: map_states
-- What the seat maps of these events depend on, as of the beginning of the transaction.
select e.event_id, e.version, e.chart_version, e.seats_count,
       (select count(*) from holds h
         where h.event_id = e.event_id and h.status = 'active' and h.expires_at <= now()) as lapsed_holds,
       seats_are_kept(e.event_id, e.waitlist_policy, e.waiting_count, least(e.capacity, e.seats_count)) as kept,
       e.status = 'draft' as is_draft
  from events e where e.event_id = any ($1) and e.deleted_at is null;

-- name: list_seats
-- Every seat in natural order, with its state now. $2: free seats are kept for the head of a strict queue.
select seat_id, seat_no, now_status(status, hold_expires_at, $2, now()), section, row_label, category, created_at, updated_at
  from seats where event_id = $1 order by sort_key, seat_no;

-- name: list_taken_seats
-- The seats that cannot be had now.
select s.seat_no, s.status
  from (select seat_no, sort_key, now_status(status, hold_expires_at, $2, now()) as status from seats where event_id = $1) s
 where s.status <> 'available' order by s.sort_key, s.seat_no;

-- name: list_created_seats
-- Those of the given ids that came into being, in natural order.
select seat_id, seat_no, now_status(status, hold_expires_at, false, now()), section, row_label, category, created_at, updated_at
  from seats where event_id = $1 and seat_id = any ($2) order by sort_key, seat_no;

-- name: find_chart
-- The chart of an event's present plan.
select c.chart_version, c.document
  from events e left join charts c on c.event_id = e.event_id and c.chart_version = e.chart_version
 where e.event_id = $1 and e.deleted_at is null and ($2 or e.status <> 'draft');

-- name: add_seats
-- Adds seats by label under the event's lock; false when there is no such event.
select add_seats_v1($1, $2, $3, $4, $5);

-- name: block_seats
-- Blocks or unblocks under the event's lock.
select outcome, seat_nos, statuses from block_seats_v1($1, $2, $3, $4, $5);

-- name: replace_plan
-- Puts a plan in place under the event's lock.
select outcome, chart_version, seats, seat_nos from replace_plan_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);
