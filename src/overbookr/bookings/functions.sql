-- Bookings. All of these need the events' locks (lock_events) and decide at p_at, the instant read after it.

-- Turns holds into bookings. One row a command. Outcomes by precedence: unauthorized (the token names a version that the
-- user has no longer; nobody's token is asked about where the version is null), booking_replayed or
-- idempotency_key_reused (the key was used before: the key lives in the booking it made, so there is no state in which
-- one exists without the other), hold_not_found, hold_event_mismatch, hold_already_booked, hold_expired, event_not_found, not_on_sale,
-- hold_booked. The body of a request is its hold, so the same key with the same hold is the same request.
-- A hold taken in time is honoured when the sale is paused or closes; not when the event is cancelled or has begun.
create or replace function book_holds(
  p_at timestamptz, p_event_ids uuid[], p_hold_ids uuid[], p_user_ids uuid[], p_token_versions integer[],
  p_booking_ids uuid[], p_keys text[]
) returns table (
  command integer, outcome text, id uuid, at timestamptz, until timestamptz, seat_nos text[], statuses text[]
) language plpgsql as $$
#variable_conflict use_column
declare
  v_outcomes text[];
  v_booking_ids uuid[];
  v_event_ids uuid[];
  v_seat_nos text[];
  v_seat_hold_ids uuid[];
  v_seat_booking_ids uuid[];
begin
  select array_agg(d.outcome order by d.n),
         array_agg(case d.outcome when 'hold_booked' then p_booking_ids[d.n] when 'booking_replayed' then d.by_key
                                  when 'hold_already_booked' then d.by_hold end order by d.n)
    into v_outcomes, v_booking_ids
    from (select c.n, k.booking_id as by_key,
                 (select b.booking_id from bookings b
                   where h.status = 'converted' and b.event_id = h.event_id and b.hold_id = h.hold_id) as by_hold,
                 case
                   when c.token_version <> coalesce((select u.token_version from users u where u.user_id = c.user_id), -1)
                   then 'unauthorized'
                   when k.booking_id is not null and k.hold_id = c.hold_id then 'booking_replayed'
                   when k.booking_id is not null then 'idempotency_key_reused'
                   when h.hold_id is null or h.user_id <> c.user_id then 'hold_not_found'
                   when h.event_id <> c.event_id then 'hold_event_mismatch'
                   when h.status = 'converted' then 'hold_already_booked'
                   when h.status <> 'active' or h.expires_at <= p_at then 'hold_expired'
                   when e.event_id is null then 'event_not_found'
                   when e.status in ('draft', 'cancelled') or e.start_time <= p_at then 'not_on_sale'
                   else 'hold_booked'
                 end as outcome
            from unnest(p_event_ids, p_hold_ids, p_user_ids, p_token_versions, p_keys)
                 with ordinality c (event_id, hold_id, user_id, token_version, key, n)
            left join holds h on h.hold_id = c.hold_id
            left join events e on e.event_id = c.event_id and e.deleted_at is null
            left join bookings k on k.event_id = c.event_id and k.user_id = c.user_id and k.idempotency_key = c.key) d;

  with converted as (
    update holds h set status = 'converted', ended_at = p_at
      from unnest(p_event_ids, p_hold_ids, v_outcomes) w (event_id, hold_id, outcome)
     where w.outcome = 'hold_booked' and h.hold_id = w.hold_id
       and h.event_id is not distinct from w.event_id and h.status || '' = 'active'
    returning h.hold_id, h.event_id, h.user_id, h.seat_nos),
  booked as (
    insert into bookings (booking_id, event_id, user_id, hold_id, seat_nos, seats_count, idempotency_key, created_at, updated_at)
    select c.booking_id, h.event_id, h.user_id, h.hold_id, h.seat_nos, cardinality(h.seat_nos), c.key, p_at, p_at
      from unnest(p_hold_ids, p_booking_ids, p_keys) c (hold_id, booking_id, key)
      join converted h on h.hold_id = c.hold_id
    returning booking_id, event_id, hold_id, seat_nos)
  select array_agg(b.event_id), array_agg(s.seat_no), array_agg(b.hold_id), array_agg(b.booking_id)
    into v_event_ids, v_seat_nos, v_seat_hold_ids, v_seat_booking_ids
    from booked b cross join lateral unnest(b.seat_nos) s (seat_no);
  if v_seat_nos is not null then
    insert into booking_seats (event_id, booking_id, seat_no)
    select * from unnest(v_event_ids, v_seat_booking_ids, v_seat_nos);
    perform move_seats('held', 'booked', v_event_ids, v_seat_nos, v_seat_hold_ids, v_seat_booking_ids, p_at, null);
    insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)
    select c.booking_id, c.event_id, 'booking_confirmed', p_at, p_at
      from unnest(p_event_ids, p_booking_ids, v_outcomes) c (event_id, booking_id, outcome)
     where c.outcome = 'hold_booked';
  end if;

  return query
    select o.n::integer, o.outcome, b.booking_id, b.created_at, null::timestamptz, b.seat_nos, null::text[]
      from unnest(v_outcomes, v_booking_ids) with ordinality o (outcome, booking_id, n)
      left join bookings b on b.booking_id = o.booking_id and b.event_id = p_event_ids[o.n];
end $$;

-- Cancels bookings and gives their seats to waiters first, in this transaction. Outcomes: booking_cancelled (now or
-- before, so that a repeated request has the same answer), event_started (unless exempt), booking_not_found.
create or replace function cancel_bookings(
  p_at timestamptz, p_user_seats_max integer, p_event_ids uuid[], p_booking_ids uuid[], p_exempt boolean[]
) returns table (
  command integer, outcome text, id uuid, at timestamptz, until timestamptz, seat_nos text[], statuses text[]
) language plpgsql as $$
#variable_conflict use_column
declare
  v_outcomes text[];
  v_event_ids uuid[];
  v_seat_nos text[];
  v_booking_ids uuid[];
begin
  select array_agg(case
           when b.booking_id is null then 'booking_not_found'
           when b.status = 'active' and e.start_time <= p_at and not c.exempt then 'event_started'
           else 'booking_cancelled'
         end order by c.n)
    into v_outcomes
    from unnest(p_event_ids, p_booking_ids, p_exempt) with ordinality c (event_id, booking_id, exempt, n)
    left join bookings b on b.booking_id = c.booking_id and b.event_id = c.event_id
    left join events e on e.event_id = c.event_id;

  with cancelled as (
    update bookings b set status = 'cancelled', cancelled_at = p_at, updated_at = p_at
      from unnest(p_event_ids, p_booking_ids, v_outcomes) c (event_id, booking_id, outcome)
     where c.outcome = 'booking_cancelled' and b.booking_id = c.booking_id and b.event_id = c.event_id
       and b.status = 'active'
    returning b.event_id, b.booking_id)
  , released as (
    update booking_seats s set released_at = p_at
      from cancelled c
     where s.booking_id = c.booking_id and s.event_id is not distinct from c.event_id
       and coalesce(s.released_at, 'infinity') = 'infinity'
    returning s.event_id, s.booking_id, s.seat_no)
  , owed as (
    insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)
    select c.booking_id, c.event_id, 'booking_cancelled', p_at, p_at from cancelled c)
  select array_agg(r.event_id), array_agg(r.seat_no), array_agg(r.booking_id)
    into v_event_ids, v_seat_nos, v_booking_ids from released r;
  if v_seat_nos is not null then
    perform move_seats('booked', 'available', v_event_ids, v_seat_nos, null, v_booking_ids, p_at, null);
    perform promote_waiters(p_event_ids, p_at, p_user_seats_max);
  end if;

  return query
    select o.n::integer, o.outcome, p_booking_ids[o.n], p_at, null::timestamptz, null::text[], null::text[]
      from unnest(v_outcomes) with ordinality o (outcome, n);
end $$;
