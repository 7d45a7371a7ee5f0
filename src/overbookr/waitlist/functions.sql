-- The waitlist. All of these but leave_waitlist_v1 need the events' locks (lock_events) and decide at p_at.

-- Seats that could be sold right now, by counters that the lock keeps exact. Never negative.
create or replace function free_seats(p_seats integer, p_capacity integer, p_booked integer, p_held integer)
returns integer language sql immutable as $$
  select greatest(least(p_capacity, p_seats) - p_booked - p_held, 0)
$$;

-- The free seats of an event in order, at most 4000 of them. Few free seats were freed last, so the end of the feed
-- names them: where as many of those that it names are free as the counters say, these are all, and the house is not read.
create or replace function find_free_seats(p_event_id uuid, out p_seat_nos text[], out p_ordinals integer[])
language plpgsql stable as $$
declare
  v_free integer;
  v_version bigint;
begin
  select e.seats_count - e.booked_count - e.held_count, e.version into v_free, v_version
    from events e where e.event_id = p_event_id;
  if v_free <= 256 then
    select array_agg(s.seat_no order by s.ordinal), array_agg(s.ordinal order by s.ordinal) into p_seat_nos, p_ordinals
      from (select distinct c.seat_no from seat_changes c
             where c.event_id = p_event_id and c.version > v_version - greatest(8 * v_free, 128)
               and c.to_status = 'available') c
      -- Each by its key: joined, the whole house might be read to be compared with a few changes.
      cross join lateral (
        select x.seat_no, x.ordinal from seats x
         where x.event_id = p_event_id and x.seat_no = c.seat_no and x.status = 'available' limit 1) s;
    if cardinality(p_seat_nos) = v_free then
      return;
    end if;
  end if;
  select array_agg(s.seat_no order by s.ordinal), array_agg(s.ordinal order by s.ordinal) into p_seat_nos, p_ordinals
    from (select seat_no, ordinal from seats where event_id = p_event_id and status = 'available' limit 4000) s;
end $$;

-- Chooses p_count of these free seats: the shortest run of neighbours that is long enough, else the first in order.
create or replace function choose_seats(p_seat_nos text[], p_ordinals integer[], p_count integer)
returns text[] language plpgsql immutable as $$
begin
  return (
    with free as (
      select seat_no, ordinal, ordinal - row_number() over (order by ordinal) as run
        from unnest(p_seat_nos, p_ordinals) f (seat_no, ordinal)),
    tightest as (
      select run from free group by run having count(*) >= p_count order by count(*), min(ordinal) limit 1)
    select array_agg(c.seat_no order by c.ordinal)
      from (select f.seat_no, f.ordinal from free f
             order by f.run is distinct from (select run from tightest), f.ordinal limit p_count) c);
end $$;

-- The entry that is served next when p_free seats are free; null when nobody is. Whoever's share is used up, and
-- in a strict queue whoever asks for more than the event can ever have, is passed over without losing the place.
create or replace function next_waiter(
  p_event_id uuid, p_policy text, p_free integer, p_most integer, p_user_seats_max integer
) returns waitlist_entries language plpgsql stable as $$
declare
  v_wanted_max constant integer := case p_policy when 'strict' then p_most else p_free end;
  v_entry waitlist_entries;
begin
  -- One probe of the index a size, not a walk past everyone who asked for too much or was served before.
  select w.* into v_entry
    from generate_series(1, least(v_wanted_max, p_user_seats_max)) g (size)
    cross join lateral (
      -- A range of one size, in the order of size and ticket: only the index by size gives that order.
      select x.* from waitlist_entries x
       where x.event_id = p_event_id and x.status = 'waiting' and x.requested_seats > 0
         and x.requested_seats >= g.size and x.requested_seats <= g.size
         and user_seats(x.event_id, x.user_id) + x.requested_seats <= p_user_seats_max
       order by x.requested_seats, x.ticket limit 1) w
   order by w.ticket limit 1;
  -- The head of a strict queue waits until there is enough, and everybody behind waits with it.
  if v_entry.requested_seats > p_free then
    return null;
  end if;
  return v_entry;
end $$;

-- Whether free seats gather for the head of a strict queue, and so are nobody else's. Only someone who can be served
-- keeps them: neither who asks for more than the event can ever have, nor (given p_user_seats_max) whose share is used up.
create or replace function seats_are_kept(
  p_event_id uuid, p_policy text, p_waiting integer, p_most integer, p_user_seats_max integer default null
) returns boolean language sql stable as $$
  select p_policy = 'strict' and p_waiting > 0 and exists (
    -- In the order of the index by size, which has none of those who were served before.
    select 1 from (
      select w.event_id, w.user_id, w.requested_seats from waitlist_entries w
       where w.event_id = p_event_id and w.status = 'waiting' and w.requested_seats > 0 and w.requested_seats <= p_most
       order by w.requested_seats, w.ticket) w
     where p_user_seats_max is null
        or user_seats(w.event_id, w.user_id) + w.requested_seats <= p_user_seats_max)
$$;

-- Gives free seats to those who wait, in the order of their tickets: a booking, its mail, the entry promoted.
-- Invariant: on return no waiter of these events who fits is left waiting while the event is on sale, unless p_limit were
-- promoted, which the result tells; then nothing may be decided before the rest are (settle_events). So whoever frees
-- seats calls this in the same transaction, and nobody who polls can take a seat that a waiter is owed.
create or replace function promote_waiters(
  p_event_ids uuid[], p_at timestamptz, p_user_seats_max integer, p_limit integer default 50
) returns integer language plpgsql as $$
declare
  v_event events;
  v_entry waitlist_entries;
  v_free integer;
  v_available integer;
  v_booking_id uuid;
  v_seat_nos text[];
  v_free_seat_nos text[];
  v_free_ordinals integer[];
  v_promoted integer := 0;
begin
  for v_event in
    select * from events e
     where e.event_id = any (p_event_ids) and e.waiting_count > 0 and e.waitlist_mode = 'auto' and e.deleted_at is null
       and event_is_on_sale(e.status, e.start_time, e.sales_open_at, e.sales_close_at, p_at)
     order by e.event_id
  loop
    v_free := free_seats(v_event.seats_count, v_event.capacity, v_event.booked_count, v_event.held_count);
    v_available := v_event.seats_count - v_event.booked_count - v_event.held_count;
    v_free_seat_nos := null;
    while v_free > 0 and v_promoted < p_limit loop
      v_entry := next_waiter(v_event.event_id, v_event.waitlist_policy, v_free,
                             least(v_event.capacity, v_event.seats_count), p_user_seats_max);
      exit when v_entry.entry_id is null;
      v_booking_id := new_id(p_at);
      -- Nobody else moves these seats, so they are found once; unless there are more than are looked at in one go.
      if cardinality(v_free_seat_nos) is distinct from v_available then
        select f.p_seat_nos, f.p_ordinals into v_free_seat_nos, v_free_ordinals from find_free_seats(v_event.event_id) f;
      end if;
      v_seat_nos := choose_seats(v_free_seat_nos, v_free_ordinals, v_entry.requested_seats);
      update waitlist_entries set status = 'promoted', updated_at = p_at
       where entry_id = v_entry.entry_id and event_id = v_event.event_id and status = 'waiting';
      update events set waiting_count = waiting_count - 1 where event_id = v_event.event_id;
      insert into bookings (booking_id, event_id, user_id, entry_id, seat_nos, seats_count, created_at, updated_at)
      values (v_booking_id, v_event.event_id, v_entry.user_id, v_entry.entry_id, v_seat_nos,
              cardinality(v_seat_nos), p_at, p_at);
      insert into booking_seats (event_id, booking_id, seat_no)
      select v_event.event_id, v_booking_id, s from unnest(v_seat_nos) s;
      perform move_seats('available', 'booked', array_fill(v_event.event_id, array[cardinality(v_seat_nos)]), v_seat_nos,
                         null, array_fill(v_booking_id, array[cardinality(v_seat_nos)]), p_at, null);
      insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)
      values (v_booking_id, v_event.event_id, 'waitlist_promoted', p_at, p_at);
      select array_agg(f.seat_no order by f.ordinal), array_agg(f.ordinal order by f.ordinal)
        into v_free_seat_nos, v_free_ordinals
        from unnest(v_free_seat_nos, v_free_ordinals) f (seat_no, ordinal) where f.seat_no <> all (v_seat_nos);
      v_available := v_available - v_entry.requested_seats;
      v_free := v_free - v_entry.requested_seats;
      v_promoted := v_promoted + 1;
    end loop;
  end loop;
  return v_promoted;
end $$;

-- Joins queues. Outcomes by precedence: event_not_found, not_on_sale, already_waiting, hold_limit (with what the user
-- holds and has booked the request exceeds the share), seats_available, waiting (`statuses` then holds the position).
-- Tickets are drawn under the event's lock, so positions are exact.
create or replace function join_waitlist(
  p_at timestamptz, p_user_seats_max integer, p_again boolean,
  p_event_ids uuid[], p_entry_ids uuid[], p_user_ids uuid[], p_seats integer[]
) returns table (
  command integer, outcome text, id uuid, at timestamptz, until timestamptz, seat_nos text[], statuses text[]
) language plpgsql as $$
#variable_conflict use_column
declare
  v_outcomes text[];
begin
  select array_agg(case
           when e.event_id is null then 'event_not_found'
           when m.entry_id is not null then 'joined_before'
           when not event_is_on_sale(e.status, e.start_time, e.sales_open_at, e.sales_close_at, p_at) then 'not_on_sale'
           when w.entry_id is not null then 'already_waiting'
           when user_seats(c.event_id, c.user_id) + c.seats > p_user_seats_max then 'hold_limit'
           when c.seats <= free_seats(e.seats_count, e.capacity, e.booked_count, e.held_count)
                and not seats_are_kept(e.event_id, e.waitlist_policy, e.waiting_count,
                                       least(e.capacity, e.seats_count), p_user_seats_max) then 'seats_available'
           else 'waiting'
         end order by c.n)
    into v_outcomes
    from unnest(p_event_ids, p_entry_ids, p_user_ids, p_seats) with ordinality c (event_id, entry_id, user_id, seats, n)
    left join events e on e.event_id = c.event_id and e.deleted_at is null
    -- Compared so that no index beginning with event_id fits, and apart so that each is looked up: before the first
    -- ANALYZE the planner takes any index for good enough.
    left join lateral (
      select x.entry_id from waitlist_entries x
       where x.user_id = c.user_id and x.event_id is not distinct from c.event_id
         and x.status = 'waiting' and x.ticket > 0
       limit 1) w on true
    left join waitlist_entries m on p_again and m.entry_id = c.entry_id and m.event_id = c.event_id;

  insert into waitlist_entries (entry_id, event_id, user_id, requested_seats, ticket, created_at, updated_at)
  select c.entry_id, c.event_id, c.user_id, c.seats,
         e.waitlist_tickets + row_number() over (partition by c.event_id order by c.n), p_at, p_at
    from unnest(p_event_ids, p_entry_ids, p_user_ids, p_seats, v_outcomes)
         with ordinality c (event_id, entry_id, user_id, seats, outcome, n)
    join events e on e.event_id = c.event_id
   where c.outcome = 'waiting';
  update events e set waitlist_tickets = e.waitlist_tickets + j.entries, waiting_count = e.waiting_count + j.entries
    from (select c.event_id, count(*)::integer as entries
            from unnest(p_event_ids, v_outcomes) c (event_id, outcome)
           where c.outcome = 'waiting' group by c.event_id) j
   where e.event_id = j.event_id;

  -- The entries of this batch drew the last tickets, so the place in the queue needs no count of the queue.
  return query
    select o.n::integer, case o.outcome when 'joined_before' then 'waiting' else o.outcome end, p_entry_ids[o.n],
           coalesce(w.created_at, p_at), null::timestamptz, null::text[],
           case o.outcome
             when 'waiting' then array[(e.waiting_count - (e.waitlist_tickets - w.ticket))::text]
             when 'joined_before' then array[queue_position(w.event_id, w.ticket)::text]
           end
      from unnest(v_outcomes) with ordinality o (outcome, n)
      left join events e on e.event_id = p_event_ids[o.n]
      left join waitlist_entries w on w.entry_id = p_entry_ids[o.n] and w.event_id = p_event_ids[o.n];
end $$;

-- The live place of a waiting ticket: 1 is next. Compared so that the index by ticket, which also has everyone who was
-- served before, does not fit: those who wait are counted in the index by size.
create or replace function queue_position(p_event_id uuid, p_ticket bigint) returns bigint language sql stable as $$
  select count(*) from waitlist_entries
   where event_id = p_event_id and status = 'waiting' and requested_seats > 0 and ticket + 0 <= p_ticket
$$;

-- Leaves the queue; false when the user does not wait there. Locks the event. Behind a strict head others may now fit.
create or replace function leave_waitlist_v1(p_event_id uuid, p_user_id uuid, p_user_seats_max integer)
returns boolean language plpgsql as $$
declare
  v_at timestamptz := lock_events(array[p_event_id]);
begin
  perform settle_events(array[p_event_id], v_at, p_user_seats_max);
  update waitlist_entries set status = 'left', updated_at = v_at
   where user_id = p_user_id and event_id is not distinct from p_event_id and status = 'waiting' and ticket > 0;
  if not found then
    return false;
  end if;
  update events set waiting_count = waiting_count - 1 where event_id = p_event_id;
  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);
  return true;
end $$;
