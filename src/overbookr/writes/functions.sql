-- The write path's spine: one lock, one place where a seat changes its state, one call for a whole batch.
--
-- Lock order, everywhere: the events' rows in id order, FOR NO KEY UPDATE, and nothing else that anything waits
-- for. Whoever holds an event's row decides alone about its seats, holds, bookings and queue. Decisions are made
-- in statements after the one that locks, because under READ COMMITTED only those see what was committed
-- while the lock was awaited; the clock is read there too, for the same reason.

-- Locks the events and returns the instant at which everything that follows is decided.
create or replace function lock_events(p_event_ids uuid[]) returns timestamptz language plpgsql as $$
begin
  perform 1 from events where event_id = any (p_event_ids) order by event_id for no key update;
  return clock_timestamp();
end $$;

-- Whether seats can be had: the status, the sale window, and that the show has not begun. Not in SQL, which would be
-- inlined: the planner would then look for events by their start instead of by their id.
create or replace function event_is_on_sale(
  p_status text, p_start_time timestamptz, p_sales_open_at timestamptz, p_sales_close_at timestamptz, p_at timestamptz
) returns boolean language plpgsql immutable as $$
begin
  return p_status = 'on_sale' and p_start_time > p_at
     and coalesce(p_sales_open_at <= p_at, true) and coalesce(p_sales_close_at > p_at, true);
end $$;

-- A UUIDv7 for rows that no request made (promotions): 48 bits of milliseconds, the rest random.
create or replace function new_id(p_at timestamptz) returns uuid language sql volatile as $$
  select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || '7'
          || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- Numbers the transitions and keeps the events' counters, which follow from the transition alone.
-- Invariant: per event, versions grow by one without gaps; only this function writes seat_changes and the
-- seat counters. Needs the events' locks.
create or replace function record_seat_changes(
  p_from text, p_to text, p_event_ids uuid[], p_seat_nos text[], p_hold_ids uuid[], p_booking_ids uuid[],
  p_at timestamptz
) returns void language plpgsql as $$
begin
  insert into seat_changes (event_id, version, seat_no, from_status, to_status, hold_id, booking_id, at)
  select m.event_id, e.version + row_number() over (partition by m.event_id order by m.n),
         m.seat_no, p_from, p_to, m.hold_id, m.booking_id, p_at
    from unnest(p_event_ids, p_seat_nos, p_hold_ids, p_booking_ids)
         with ordinality m (event_id, seat_no, hold_id, booking_id, n)
    join events e on e.event_id = m.event_id;

  update events e
     set version = e.version + m.seats,
         held_count = e.held_count + case when p_to = 'held' then m.seats when p_from = 'held' then -m.seats else 0 end,
         booked_count = e.booked_count
           + case when p_to = 'booked' then m.seats when p_from = 'booked' then -m.seats else 0 end,
         seats_count = e.seats_count
           + case when coalesce(p_from, 'blocked') = 'blocked' then m.seats else 0 end
           - case when coalesce(p_to, 'blocked') = 'blocked' then m.seats else 0 end
    from (select event_id, count(*)::integer as seats from unnest(p_event_ids) u (event_id) group by event_id) m
   where e.event_id = m.event_id;
end $$;

-- The one place where a seat's state changes. Every seat named must be in p_from (and, when held or booked, be
-- held or booked by the one named): the caller decided so under the lock, and a miscount is a defect that ends
-- the transaction rather than half of it. Arrays are parallel, one element a seat.
create or replace function move_seats(
  p_from text, p_to text, p_event_ids uuid[], p_seat_nos text[], p_hold_ids uuid[], p_booking_ids uuid[],
  p_at timestamptz, p_expires_at timestamptz
) returns void language plpgsql as $$
declare
  v_moved bigint;
begin
  update seats s
     set status = p_to,
         hold_id = case when p_to = 'held' then m.hold_id end,
         hold_expires_at = case when p_to = 'held' then p_expires_at end,
         booking_id = case when p_to = 'booked' then m.booking_id end,
         updated_at = p_at
    from unnest(p_event_ids, p_seat_nos, p_hold_ids, p_booking_ids) m (event_id, seat_no, hold_id, booking_id)
   where s.event_id = m.event_id and s.seat_no = m.seat_no and s.status = p_from
     and (p_from <> 'held' or s.hold_id = m.hold_id)
     and (p_from <> 'booked' or s.booking_id = m.booking_id);
  get diagnostics v_moved = row_count;
  if v_moved <> cardinality(p_seat_nos) then
    raise exception 'of % seats only % could go from % to %', cardinality(p_seat_nos), v_moved, p_from, p_to
      using errcode = 'OB001';
  end if;
  perform record_seat_changes(p_from, p_to, p_event_ids, p_seat_nos, p_hold_ids, p_booking_ids, p_at);
end $$;

-- Brings locked events up to p_at: overdue holds end, and waiters get what they are owed before anyone else is
-- answered. Expiry is thereby a fact at every decision, with every worker stopped. Both are bounded, so that a backlog
-- cannot outlast the statement timeout and be rolled back for ever: false says that more is left, and that nothing may
-- be decided before another call, in a transaction of its own, has gone on with it.
create or replace function settle_events(p_event_ids uuid[], p_at timestamptz, p_user_seats_max integer)
returns boolean language plpgsql as $$
declare
  v_holds_max constant integer := 5000;
  v_promotions_max constant integer := 50;
begin
  if expire_due_holds(p_event_ids, p_at, v_holds_max) = v_holds_max then
    return false;
  end if;
  return promote_waiters(p_event_ids, p_at, p_user_seats_max, v_promotions_max) < v_promotions_max;
end $$;

-- One batch, one transaction, one fsync, one row of outcome per command. Commands of a batch are disjoint in
-- seats and in (event, user), which the batcher sees to. One row `unsettled` instead says that a backlog was worked on
-- and no command was looked at: commit and call again. `p_again` says that an earlier try of the same batch
-- lost its connection while committing, so that what it did is recognised by the ids it brought. The token versions are
-- those that the tokens name by which holds and bookings are asked for; null: nobody's token is to be asked about.
-- Locks: the events of p_lock_event_ids, which must be those of all commands.
create or replace function write_batch_v1(
  p_lock_event_ids uuid[], p_user_seats_max integer, p_time_to_live interval, p_again boolean,
  p_hold_event_ids uuid[], p_hold_ids uuid[], p_hold_user_ids uuid[], p_hold_keys text[],
  p_hold_seat_commands integer[], p_hold_seat_nos text[],
  p_book_event_ids uuid[], p_book_hold_ids uuid[], p_book_user_ids uuid[], p_book_booking_ids uuid[], p_book_keys text[],
  p_release_event_ids uuid[], p_release_hold_ids uuid[],
  p_cancel_event_ids uuid[], p_cancel_booking_ids uuid[], p_cancel_exempt boolean[],
  p_join_event_ids uuid[], p_join_entry_ids uuid[], p_join_user_ids uuid[], p_join_seats integer[],
  p_hold_token_versions integer[] default '{}', p_book_token_versions integer[] default '{}'
) returns table (
  kind text, command integer, outcome text, id uuid, at timestamptz, until timestamptz, seat_nos text[], statuses text[]
) language plpgsql as $$
declare
  v_at timestamptz;
begin
  v_at := lock_events(p_lock_event_ids);
  if not settle_events(p_lock_event_ids, v_at, p_user_seats_max) then
    return query select 'unsettled'::text, 0, 'unsettled'::text, null::uuid, v_at, null::timestamptz, null::text[], null::text[];
    return;
  end if;
  if cardinality(p_cancel_event_ids) > 0 then
    return query select 'cancel'::text, c.* from cancel_bookings(
      v_at, p_user_seats_max, p_cancel_event_ids, p_cancel_booking_ids, p_cancel_exempt) c;
  end if;
  if cardinality(p_release_event_ids) > 0 then
    return query select 'release'::text, r.* from release_holds(
      v_at, p_user_seats_max, p_again, p_release_event_ids, p_release_hold_ids) r;
  end if;
  if cardinality(p_book_event_ids) > 0 then
    return query select 'book'::text, b.* from book_holds(
      v_at, p_book_event_ids, p_book_hold_ids, p_book_user_ids, p_book_token_versions, p_book_booking_ids,
      p_book_keys) b;
  end if;
  if cardinality(p_hold_event_ids) > 0 then
    return query select 'hold'::text, h.* from place_holds(
      v_at, p_time_to_live, p_user_seats_max, p_again, p_hold_event_ids, p_hold_ids, p_hold_user_ids,
      p_hold_token_versions, p_hold_keys, p_hold_seat_commands, p_hold_seat_nos) h;
  end if;
  if cardinality(p_join_event_ids) > 0 then
    return query select 'join'::text, j.* from join_waitlist(
      v_at, p_user_seats_max, p_again, p_join_event_ids, p_join_entry_ids, p_join_user_ids, p_join_seats) j;
  end if;
end $$;

-- The worker's share: settles up to p_limit events that have overdue holds or a waiter who can be served. Returns how
-- many, or p_limit when more is left to do. Two workers at once are harmless: the second finds the events settled when
-- it gets the lock.
create or replace function settle_due_events_v1(p_limit integer, p_user_seats_max integer)
returns integer language plpgsql as $$
declare
  v_at timestamptz := clock_timestamp();
  v_event_ids uuid[];
begin
  select array_agg(d.event_id) into v_event_ids
    from (select h.event_id from holds h where h.status = 'active' and h.expires_at <= v_at
          union
          select e.event_id from events e
           where e.waiting_count > 0 and e.deleted_at is null and e.waitlist_mode = 'auto'
             and event_is_on_sale(e.status, e.start_time, e.sales_open_at, e.sales_close_at, v_at)
             and least(e.capacity, e.seats_count) > e.booked_count + e.held_count
             and (next_waiter(e.event_id, e.waitlist_policy,
                              free_seats(e.seats_count, e.capacity, e.booked_count, e.held_count),
                              least(e.capacity, e.seats_count), p_user_seats_max)).entry_id is not null
          limit p_limit) d;
  if v_event_ids is null then
    return 0;
  end if;
  if not settle_events(v_event_ids, lock_events(v_event_ids), p_user_seats_max) then
    return p_limit;
  end if;
  return cardinality(v_event_ids);
end $$;
