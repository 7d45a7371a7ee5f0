-- The laws of the house as questions: each statement returns the rows that break its law, so a sound database answers
-- every one of them with nothing. They read the tables only, never a function of the write path, so that a defect there
-- cannot hide itself. They are all asked in one snapshot and hold at any instant, under load too; only those whose
-- names begin with `quiescent_` need the house to have been still for a moment. $1, where it occurs, is the
-- share: how many seats of one event a user may hold and have booked.

-- name: no_double_sale
-- A seat is in at most one live booking.
select event_id, seat_no, array_agg(booking_id order by booking_id) as booking_ids
  from booking_seats
 where released_at is null
 group by event_id, seat_no
having count(*) > 1;

-- name: booked_seats_match_live_bookings
-- A seat is booked by exactly the live booking that lists it, and the other way round.
select coalesce(s.event_id, b.event_id) as event_id, coalesce(s.seat_no, b.seat_no) as seat_no,
       s.booking_id as booking_of_seat, b.booking_id as live_booking
  from (select event_id, seat_no, booking_id from seats where status = 'booked') s
  full join (select l.event_id, l.seat_no, l.booking_id
               from booking_seats l
               join bookings k on k.booking_id = l.booking_id and k.event_id = l.event_id
              where l.released_at is null and k.status = 'active') b
    on b.event_id = s.event_id and b.seat_no = s.seat_no
 where s.booking_id is distinct from b.booking_id or s.seat_no is null or b.seat_no is null;

-- name: held_seats_match_active_holds
-- A seat is held by exactly the active hold that lists it, until the same instant, and the other way round.
select coalesce(s.event_id, h.event_id) as event_id, coalesce(s.seat_no, h.seat_no) as seat_no,
       s.hold_id as hold_of_seat, h.hold_id as active_hold, s.hold_expires_at, h.expires_at
  from (select event_id, seat_no, hold_id, hold_expires_at from seats where status = 'held') s
  full join (select a.event_id, n.seat_no, a.hold_id, a.expires_at
               from holds a cross join lateral unnest(a.seat_nos) n (seat_no)
              where a.status = 'active') h
    on h.event_id = s.event_id and h.seat_no = s.seat_no
 where (s.hold_id, s.hold_expires_at) is distinct from (h.hold_id, h.expires_at) or s.seat_no is null or h.seat_no is null;

-- name: seat_state_has_its_shape
-- A seat carries what its state needs and nothing else.
select event_id, seat_no, status, hold_id, hold_expires_at, booking_id
  from seats
 where not coalesce(
   case status
     when 'available' then hold_id is null and hold_expires_at is null and booking_id is null
     when 'held' then hold_id is not null and hold_expires_at is not null and booking_id is null
     when 'booked' then hold_id is null and hold_expires_at is null and booking_id is not null
     when 'blocked' then hold_id is null and hold_expires_at is null and booking_id is null
   end, false);

-- name: seats_count_is_true
-- An event counts exactly its seats that are not blocked.
select e.event_id, e.seats_count, coalesce(s.seats, 0) as seats
  from events e
  left join (select event_id, count(*) as seats from seats where status <> 'blocked' group by event_id) s using (event_id)
 where e.seats_count <> coalesce(s.seats, 0);

-- name: held_count_is_true
-- The counter, the seats that say held and the seats that active holds list are three counts of one thing.
select e.event_id, e.held_count, coalesce(s.seats, 0) as held_seats, coalesce(h.seats, 0) as seats_of_holds
  from events e
  left join (select event_id, count(*) as seats from seats where status = 'held' group by event_id) s using (event_id)
  left join (select event_id, sum(cardinality(seat_nos)) as seats from holds where status = 'active' group by event_id) h
    using (event_id)
 where e.held_count <> coalesce(s.seats, 0) or e.held_count <> coalesce(h.seats, 0);

-- name: booked_count_is_true
-- The counter, the seats that say booked and the live seats of active bookings are three counts of one thing.
select e.event_id, e.booked_count, coalesce(s.seats, 0) as booked_seats, coalesce(b.seats, 0) as seats_of_bookings
  from events e
  left join (select event_id, count(*) as seats from seats where status = 'booked' group by event_id) s using (event_id)
  left join (select l.event_id, count(*) as seats
               from booking_seats l
               join bookings k on k.booking_id = l.booking_id and k.event_id = l.event_id
              where l.released_at is null and k.status = 'active' group by l.event_id) b using (event_id)
 where e.booked_count <> coalesce(s.seats, 0) or e.booked_count <> coalesce(b.seats, 0);

-- name: waiting_count_is_true
-- An event counts exactly the entries that wait.
select e.event_id, e.waiting_count, coalesce(w.entries, 0) as waiting_entries
  from events e
  left join (select event_id, count(*) as entries from waitlist_entries where status = 'waiting' group by event_id) w
    using (event_id)
 where e.waiting_count <> coalesce(w.entries, 0);

-- name: never_taken_beyond_room
-- No more seats are held and booked than the event has and its capacity allows.
select e.event_id, e.capacity, e.seats_count, e.held_count, e.booked_count, coalesce(s.taken, 0) as taken_seats
  from events e
  left join (select event_id, count(*) as taken from seats where status in ('held', 'booked') group by event_id) s
    using (event_id)
 where greatest(e.held_count + e.booked_count, coalesce(s.taken, 0)) > least(e.capacity, e.seats_count);

-- name: booking_is_whole
-- A booking's seats are those it lists, all of them live while it is active and none once it is cancelled.
select coalesce(b.event_id, l.event_id) as event_id, coalesce(b.booking_id, l.booking_id) as booking_id, b.status,
       b.seats_count, b.seat_nos, l.seat_nos as booking_seats, l.live
  from bookings b
  full join (select event_id, booking_id, array_agg(seat_no) as seat_nos, count(*) as seats,
                    count(*) filter (where released_at is null) as live
               from booking_seats group by event_id, booking_id) l
    on l.booking_id = b.booking_id and l.event_id = b.event_id
 where b.booking_id is null or l.booking_id is null
    or b.seats_count <> cardinality(b.seat_nos) or b.seats_count <> l.seats
    or not (b.seat_nos @> l.seat_nos and b.seat_nos <@ l.seat_nos)
    or l.live <> case b.status when 'active' then l.seats else 0 end;

-- name: hold_becomes_one_booking
-- A hold is converted when and only when one booking came of it, of the same user and the same seats.
select coalesce(h.event_id, b.event_id) as event_id, coalesce(h.hold_id, b.hold_id) as hold_id, h.status as hold_status,
       b.booking_id, h.user_id as user_of_hold, b.user_id as user_of_booking
  from holds h
  full join (select event_id, hold_id, booking_id, user_id, seat_nos from bookings where hold_id is not null) b
    on b.event_id = h.event_id and b.hold_id = h.hold_id
 where (h.status = 'converted') is distinct from (b.hold_id is not null)
    or b.user_id <> h.user_id or b.seat_nos <> h.seat_nos
union all
select event_id, hold_id, 'several bookings', null, null, null
  from bookings where hold_id is not null
 group by event_id, hold_id having count(*) > 1;

-- name: idempotency_key_has_one_effect
-- A user's key made one booking and one hold of an event at most; a booking made from a hold has a key, a promotion none.
select event_id, user_id, idempotency_key, array_agg(booking_id) as made
  from bookings where idempotency_key is not null
 group by event_id, user_id, idempotency_key having count(*) > 1
union all
select event_id, user_id, idempotency_key, array_agg(hold_id)
  from holds where idempotency_key is not null
 group by event_id, user_id, idempotency_key having count(*) > 1
union all
select event_id, user_id, idempotency_key, array[booking_id]
  from bookings where (hold_id is null) <> (idempotency_key is null);

-- name: promotion_makes_one_booking
-- An entry is promoted when and only when one booking serves it, of the same user and the size asked for.
select coalesce(w.event_id, b.event_id) as event_id, coalesce(w.entry_id, b.entry_id) as entry_id, w.status,
       w.user_id as user_of_entry, b.user_id as user_of_booking, w.requested_seats, b.booking_id, b.seats_count
  from waitlist_entries w
  full join (select event_id, entry_id, booking_id, user_id, seats_count,
                    count(*) over (partition by event_id, entry_id) as bookings
               from bookings where entry_id is not null) b
    on b.event_id = w.event_id and b.entry_id = w.entry_id
 where (w.status = 'promoted') is distinct from (b.entry_id is not null)
    or b.bookings > 1 or b.user_id <> w.user_id or b.seats_count <> w.requested_seats;

-- name: booking_made_in_time
-- Nothing is booked from a hold whose time had passed; both instants are the database's.
select b.event_id, b.booking_id, b.hold_id, b.created_at, h.expires_at
  from bookings b join holds h on h.hold_id = b.hold_id and h.event_id = b.event_id
 where b.created_at >= h.expires_at;

-- name: hold_ends_as_it_says
-- A hold expires at its time and not before; it is released before its time, because from then on it has expired.
select event_id, hold_id, status, ended_at, expires_at
  from holds
 where (status = 'active') <> (ended_at is null)
    or (status = 'expired' and ended_at < expires_at)
    or (status = 'released' and ended_at >= expires_at);

-- name: versions_run_without_gap
-- The changes of an event are numbered from 1 to the event's version, each number once.
select coalesce(e.event_id, c.event_id) as event_id, e.version, c.changes, c.numbers, c.first, c.last
  from events e
  full join (select event_id, count(*) as changes, count(distinct version) as numbers, min(version) as first,
                    max(version) as last
               from seat_changes group by event_id) c using (event_id)
 where e.version is null or e.version <> coalesce(c.changes, 0)
    or c.numbers <> c.changes or c.first <> 1 or c.last <> e.version;

-- name: changes_are_legal
-- A seat goes only from state to state as the house allows, and a change names the hold or booking it is about.
select event_id, version, seat_no, from_status, to_status, hold_id, booking_id
  from seat_changes
 where (coalesce(from_status, 'none') || '>' || coalesce(to_status, 'none')) not in (
         'none>available', 'available>none', 'blocked>none',
         'available>held', 'held>available', 'held>booked', 'booked>available', 'available>booked',
         'available>blocked', 'blocked>available')
    or coalesce('held' in (from_status, to_status), false) <> (hold_id is not null)
    or coalesce('booked' in (from_status, to_status), false) <> (booking_id is not null);

-- name: changes_follow_each_other
-- Each change of a seat starts where the one before it ended, with the same hold or booking.
select event_id, version, seat_no, from_status, hold_id, booking_id, was as earlier_status,
       was_hold_id as earlier_hold_id, was_booking_id as earlier_booking_id
  from (select event_id, version, seat_no, from_status, hold_id, booking_id,
               lag(to_status) over w as was, lag(hold_id) over w as was_hold_id, lag(booking_id) over w as was_booking_id
          from seat_changes
        window w as (partition by event_id, seat_no collate "C" order by version)) c
 where from_status is distinct from was
    or (from_status = 'held' and hold_id is distinct from was_hold_id)
    or (from_status = 'booked' and booking_id is distinct from was_booking_id);

-- name: history_ends_at_present
-- The changes, played from the first to the last, end at the seats as they are.
select coalesce(s.event_id, c.event_id) as event_id, coalesce(s.seat_no, c.seat_no) as seat_no, c.version,
       c.to_status as last_status, s.status, c.hold_id as last_hold_id, s.hold_id, c.booking_id as last_booking_id, s.booking_id
  from (select l.event_id, l.seat_no, l.version, c.to_status, c.hold_id, c.booking_id
          from (select event_id, seat_no, max(version) as version from seat_changes group by event_id, seat_no) l
          join seat_changes c on c.event_id = l.event_id and c.version = l.version and c.seat_no = l.seat_no) c
  full join seats s on s.event_id = c.event_id and s.seat_no = c.seat_no
 where s.status is distinct from c.to_status
    or (s.status = 'held' and s.hold_id is distinct from c.hold_id)
    or (s.status = 'booked' and s.booking_id is distinct from c.booking_id);

-- name: user_within_share
-- Nobody holds and has booked more seats of an event than the share allows. A share that was lowered since shows here.
select event_id, user_id, sum(seats) as seats
  from (select event_id, user_id, cardinality(seat_nos) as seats from holds where status = 'active'
        union all
        select event_id, user_id, seats_count from bookings where status = 'active') t
 group by event_id, user_id
having sum(seats) > $1::integer;

-- name: one_place_in_the_queue
-- A user waits for an event once.
select event_id, user_id, array_agg(entry_id order by ticket) as entry_ids
  from waitlist_entries where status = 'waiting'
 group by event_id, user_id
having count(*) > 1;

-- name: tickets_are_drawn_once
-- The numbers of the queue are given to one entry each, and none is given that was not drawn.
select event_id, ticket, array_agg(entry_id) as entry_ids
  from waitlist_entries
 group by event_id, ticket having count(*) > 1
union all
select w.event_id, w.ticket, array[w.entry_id]
  from waitlist_entries w join events e using (event_id)
 where w.ticket not between 1 and e.waitlist_tickets;

-- name: promotions_in_order
-- Nobody is served before someone who drew an earlier ticket, wanted no more seats, waited at that moment and was within
-- the share. This holds for both policies. What is not certain is no violation: the numbers of the changes say who was
-- served first, entries that were left are passed over because only clocks could say when, and since the share of that
-- day is unknown, the one passed over must have had room even in the smallest share that let the other one in.
with served as materialized (
  select w.event_id, w.entry_id, w.user_id, w.ticket, w.requested_seats, w.updated_at, min(c.version) as version
    from waitlist_entries w
    left join bookings b on w.status = 'promoted' and b.event_id = w.event_id and b.entry_id = w.entry_id
    left join seat_changes c on c.event_id = b.event_id and c.booking_id = b.booking_id and c.to_status = 'booked'
   where w.status in ('waiting', 'promoted')
   group by w.event_id, w.entry_id, w.user_id, w.ticket, w.requested_seats, w.updated_at, w.status
  having w.status = 'waiting' or min(c.version) is not null),
-- One pass over the queue a size, instead of every pair: who was overtaken at all, and who overtook.
sizes as materialized (select distinct event_id, requested_seats as size from served),
later as materialized (
  select event_id, entry_id, user_id, ticket, requested_seats, updated_at, version
    from (select s.*, z.size,
                 max(coalesce(s.version, 9223372036854775807)) over (
                   partition by s.event_id, z.size order by s.ticket
                   rows between unbounded preceding and 1 preceding) as last_of_earlier
            from served s join sizes z on z.event_id = s.event_id and s.requested_seats <= z.size) x
   where requested_seats = size and version < last_of_earlier),
earlier as materialized (
  select event_id, entry_id, user_id, ticket, requested_seats, updated_at, version
    from (select s.*, z.size,
                 min(s.version) over (
                   partition by s.event_id, z.size order by s.ticket
                   rows between 1 following and unbounded following) as first_of_later
            from served s join sizes z on z.event_id = s.event_id and s.requested_seats >= z.size
           where exists (select 1 from later)) x
   where requested_seats = size and coalesce(version, 9223372036854775807) > first_of_later),
pairs as materialized (
  select l.event_id, e.entry_id as passed_entry_id, e.ticket as passed_ticket, e.user_id as passed_user_id,
         e.requested_seats as passed_seats, l.entry_id as served_entry_id, l.ticket as served_ticket,
         l.user_id as served_user_id, l.requested_seats as served_seats, l.version
    from later l
    join earlier e on e.event_id = l.event_id and e.ticket < l.ticket and e.requested_seats <= l.requested_seats
     and (e.version is null or (e.version > l.version and e.updated_at >= l.updated_at))),
owners as materialized (
  select event_id, passed_user_id as user_id from pairs union select event_id, served_user_id from pairs),
claims as materialized (
  select h.event_id, h.hold_id as claim_id, o.user_id
    from owners o join holds h on h.event_id = o.event_id and h.user_id = o.user_id
  union all
  select b.event_id, b.booking_id, o.user_id
    from owners o join bookings b on b.event_id = o.event_id and b.user_id = o.user_id),
moves as materialized (
  select k.event_id, k.user_id, c.version, case when c.from_status = 'available' then 1 else -1 end as seats
    from claims k
    join seat_changes c on c.event_id = k.event_id and coalesce(c.booking_id, c.hold_id) = k.claim_id
   where 'available' in (c.from_status, c.to_status)),
room as (
  select p.event_id, p.passed_entry_id, p.served_entry_id, m.user_id = p.passed_user_id as is_passed, sum(m.seats) as seats
    from pairs p
    join moves m on m.event_id = p.event_id and m.version < p.version and m.user_id in (p.passed_user_id, p.served_user_id)
   group by p.event_id, p.passed_entry_id, p.served_entry_id, m.user_id = p.passed_user_id)
select p.event_id, p.passed_entry_id, p.passed_ticket, p.passed_seats, p.served_entry_id, p.served_ticket, p.served_seats,
       p.version
  from pairs p
  left join room e on e.passed_entry_id = p.passed_entry_id and e.served_entry_id = p.served_entry_id and e.is_passed
  left join room l on l.passed_entry_id = p.passed_entry_id and l.served_entry_id = p.served_entry_id and not l.is_passed
 where coalesce(e.seats, 0) + p.passed_seats <= coalesce(l.seats, 0) + p.served_seats;

-- name: booking_has_its_mail
-- Every booking owes the mail of its making, and a cancelled one that of its end.
select b.event_id, b.booking_id, b.status, m.booking_id is not null as has_made, c.booking_id is not null as has_cancelled
  from bookings b
  left join mails m on m.booking_id = b.booking_id and m.event_id = b.event_id
   and m.kind = case when b.hold_id is null then 'waitlist_promoted' else 'booking_confirmed' end
  left join mails c on c.booking_id = b.booking_id and c.event_id = b.event_id and c.kind = 'booking_cancelled'
 where m.booking_id is null or (b.status = 'cancelled' and c.booking_id is null);

-- name: mail_has_its_booking
-- Every mail speaks of a booking that was made, in the way that the mail says, and ended if the mail says so.
select m.event_id, m.booking_id, m.kind
  from mails m
  left join bookings b on b.booking_id = m.booking_id and b.event_id = m.event_id
 where not coalesce(
   case m.kind
     when 'booking_confirmed' then b.hold_id is not null
     when 'waitlist_promoted' then b.entry_id is not null
     when 'booking_cancelled' then b.status = 'cancelled'
   end, false);

-- name: deleted_event_is_empty
-- Nothing is held, booked or awaited at an event that was deleted.
select e.event_id, e.deleted_at
  from events e
 where e.deleted_at is not null
   and (exists (select 1 from holds h where h.event_id = e.event_id and h.status = 'active')
        or exists (select 1 from bookings b where b.event_id = e.event_id and b.status = 'active')
        or exists (select 1 from waitlist_entries w where w.event_id = e.event_id and w.status = 'waiting'));

-- name: sales_are_counted
-- For every event and day, the spans of each length and what is pending make together what a recount of the bookings
-- gives, and so do the days for all events together. By how much they say too much; without an event it is a day's.
with truth as materialized (
  select event_id, day, sum(bookings) as bookings, sum(cancelled) as cancelled, sum(seats) as seats
    from (select event_id, (created_at at time zone 'UTC')::date as day, count(*) as bookings,
                 count(*) filter (where status = 'cancelled') as cancelled,
                 coalesce(sum(seats_count) filter (where status = 'active'), 0) as seats
            from bookings group by 1, 2
          union all
          select event_id, day, -bookings, -cancelled, -seats from sales_pending) t
   group by event_id, day)
select event_id, span_days, first_day, sum(bookings) as bookings, sum(cancelled) as cancelled, sum(seats) as seats
  from (select event_id, span_days, first_day, bookings, cancelled, seats from sales_spans
        union all
        select null, 1, day, bookings, cancelled, seats from sales_days
        union all
        select t.event_id, n.span_days, date '1970-01-01' + ((t.day - date '1970-01-01') & -n.span_days),
               -t.bookings, -t.cancelled, -t.seats
          from truth t cross join (values (1), (8), (64)) n (span_days)
        union all
        select null, 1, day, -bookings, -cancelled, -seats from truth) s
 group by event_id, span_days, first_day
having (sum(bookings), sum(cancelled), sum(seats)) <> (0, 0, 0);

-- name: quiescent_overdue_hold
-- A worker ends a hold within five seconds of its time.
select event_id, hold_id, user_id, expires_at
  from holds
 where status = 'active' and expires_at < now() - interval '5 seconds';

-- name: quiescent_waiter_left_unserved
-- Nobody waits for seats that are free and owed to them: the first who fits, or at a strict event the head of the queue.
with open as materialized (
  select e.event_id, e.waitlist_policy, least(e.capacity, s.seats) as most,
         least(e.capacity - s.taken, s.seats - s.taken) as free
    from events e
    join (select event_id, count(*) filter (where status <> 'blocked') as seats,
                 count(*) filter (where status in ('held', 'booked')) as taken
            from seats group by event_id) s using (event_id)
   where e.waitlist_mode = 'auto' and e.deleted_at is null and e.status = 'on_sale' and e.start_time > now()
     and coalesce(e.sales_open_at <= now() - interval '5 seconds', true) and coalesce(e.sales_close_at > now(), true)),
shares as (
  select event_id, user_id, sum(seats) as seats
    from (select event_id, user_id, cardinality(seat_nos) as seats from holds where status = 'active'
          union all
          select event_id, user_id, seats_count from bookings where status = 'active') t
   group by event_id, user_id),
waiters as (
  select w.event_id, w.entry_id, w.user_id, w.ticket, w.requested_seats, o.free, o.waitlist_policy,
         row_number() over (partition by w.event_id order by w.ticket) as place
    from open o
    join waitlist_entries w on w.event_id = o.event_id and w.status = 'waiting' and w.requested_seats <= o.most
    left join shares s on s.event_id = w.event_id and s.user_id = w.user_id
   where o.free > 0 and coalesce(s.seats, 0) + w.requested_seats <= $1::integer)
select event_id, entry_id, user_id, ticket, requested_seats, free
  from waiters
 where requested_seats <= free and (waitlist_policy = 'first_fit' or place = 1);

-- name: quiescent_unsent_mail
-- A mail goes out, or is given up, within a minute.
select event_id, booking_id, kind, attempts, created_at, last_error
  from mails
 where sent_at is null and failed_at is null and created_at < now() - interval '60 seconds';
