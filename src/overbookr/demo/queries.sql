-- name: lock_event
-- Locks an event and tells the instant, like every write of the house does.
select lock_events(array[$1::uuid]);

-- name: move_time_on
-- Lets the time of holds run out at $4: those of $2, and all active ones of the users of $3. Which ones. Nothing but the
-- instant is touched; to end them and to hand their seats on is the server's business. Needs the event's lock.
with lapsed as (
  update holds set expires_at = $4
   where event_id = $1 and status = 'active' and expires_at > $4 and (hold_id = any ($2) or user_id = any ($3))
  returning hold_id, event_id),
seats_of_lapsed as (
  update seats s set hold_expires_at = $4
    from lapsed l where s.event_id = l.event_id and s.hold_id = l.hold_id)
select hold_id from lapsed;

-- name: count_active_holds
-- How many of these holds have not been ended.
select count(*) from holds where event_id = $1 and hold_id = any ($2) and status = 'active';

-- name: read_holds
-- What became of these holds.
select hold_id, status from holds where event_id = $1 and hold_id = any ($2);

-- name: read_bookings
-- Every booking ever made of an event, with the number of its mails.
select b.booking_id, b.user_id, b.seat_nos, b.status, b.idempotency_key, b.entry_id is not null as promoted,
       (select count(*) from mails m where m.booking_id = b.booking_id and m.event_id = b.event_id) as mails
  from bookings b where b.event_id = $1 order by b.created_at, b.booking_id;

-- name: count_unsent_mails
-- How many mails of an event are still to go out.
select count(*) from mails where event_id = $1 and sent_at is null and failed_at is null;

-- name: read_house
-- The counters of an event beside a count of its seats and entries.
select e.seats_count, e.held_count, e.booked_count, e.waiting_count, e.version,
       (select count(*) from seats s where s.event_id = $1 and s.status <> 'blocked') as seats,
       (select count(*) from seats s where s.event_id = $1 and s.status = 'held') as held,
       (select count(*) from seats s where s.event_id = $1 and s.status = 'booked') as booked,
       (select count(*) from waitlist_entries w where w.event_id = $1 and w.status = 'waiting') as waiting,
       (select count(*) from waitlist_entries w where w.event_id = $1 and w.status = 'promoted') as promoted,
       (select count(*) from waitlist_entries w where w.event_id = $1 and w.status = 'left') as gone,
       (select count(*) from waitlist_entries w where w.event_id = $1) as joined,
       (select count(*) from mails m where m.event_id = $1 and m.sent_at is null and m.failed_at is null) as unsent
  from events e where e.event_id = $1;
