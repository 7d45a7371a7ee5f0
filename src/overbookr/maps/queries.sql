-- name: map_states
-- What the maps of these events depend on beside their seats, as of the beginning of the transaction, and when that was.
select e.event_id, e.version, e.chart_version, e.seats_count,
       (select count(*) from holds h
         where h.event_id = e.event_id and h.status = 'active' and h.expires_at <= now()) as lapsed_holds,
       seats_are_kept(e.event_id, e.waitlist_policy, e.waiting_count, least(e.capacity, e.seats_count)) as kept,
       e.status = 'draft' as is_draft, now() as at
  from events e where e.event_id = any ($1) and e.deleted_at is null;

-- name: read_changes
-- The feed of each event after one version and up to another. Parallel arrays, one element an event.
select c.event_id, c.version, c.seat_no, c.from_status, c.to_status, c.at, c.hold_id,
       -- Looked up one by one: joined, a few changes would have all holds hashed.
       case when c.to_status = 'held' then (
         select h.expires_at from holds h where h.hold_id = c.hold_id and h.event_id = c.event_id) end as expires_at
  from unnest($1::uuid[], $2::bigint[], $3::bigint[]) w (event_id, after, upto)
  cross join lateral (
    select * from seat_changes s where s.event_id = w.event_id and s.version > w.after and s.version <= w.upto
     -- There are no more, and the planner, which does not know, then reads each event's apart.
     limit w.upto - w.after) c
 order by c.event_id, c.version;

-- name: list_places
-- Every seat of an event in the order of its chart, those without a place on it behind them.
select seat_no, status, hold_id, hold_expires_at from seats where event_id = $1 order by ordinal, sort_key, seat_no;

-- name: list_seats
-- Every seat in natural order, with what is in the list beside its label and its status.
select seat_id, seat_no, status, section, row_label, category, created_at, updated_at
  from seats where event_id = $1 order by sort_key, seat_no;

-- name: find_chart
-- The chart of an event's plan of this version.
select document from charts where event_id = $1 and chart_version = $2;
