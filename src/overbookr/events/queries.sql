-- name: create_event
-- Stores a new event.
insert into events (event_id, name, venue, start_time, capacity, status, waitlist_policy, sales_open_at, sales_close_at,
                    metadata, created_at, updated_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, t.at, t.at from (select clock_timestamp() as at) t;

-- name: find_event
-- One event as clients see it; drafts only for organisers ($2).
select * from event_views where event_id = $1 and ($2 or status <> 'draft');

-- name: list_events
-- A page of events in order of their start. $1: organiser, $2: text sought in name or venue, $3: include those begun.
select * from event_views
 where ($1 or status <> 'draft')
   and ($2 = '' or position(lower($2) in lower(name)) > 0 or position(lower($2) in lower(venue)) > 0)
   and ($3 or start_time > clock_timestamp())
 order by start_time, event_id limit $4 offset $5;

-- name: count_events
-- How many events the same conditions find.
select count(*) from events
 where deleted_at is null and ($1 or status <> 'draft')
   and ($2 = '' or position(lower($2) in lower(name)) > 0 or position(lower($2) in lower(venue)) > 0)
   and ($3 or start_time > clock_timestamp());

-- name: update_event
-- Applies a patch under the event's lock; the outcome's name.
select update_event_v1($1, $2, $3);

-- name: delete_event
-- Takes an event out of sight under its lock; the outcome's name.
select delete_event_v1($1, $2);
