-- Holds. All of these need the events' locks (lock_events) and decide at p_at, the instant read after it.

-- Where rows are looked up by their id, comparisons of the event and the status are written so that no index but the
-- primary key fits (`is not distinct from`, `|| ''`): before the first ANALYZE the planner takes any that does.

-- Ends active holds as p_status and frees their seats. Holds that are no longer active are left as they are,
-- so that a converted hold is never rewritten. Returns how many ended.
create or replace function end_holds(p_hold_ids uuid[], p_event_ids uuid[], p_status text, p_at timestamptz)
returns bigint language plpgsql as $$
declare
  v_event_ids uuid[];
  v_hold_ids uuid[];
  v_seat_nos text[];
  v_ended bigint;
begin
  with ended as (
    update holds h set status = p_status, ended_at = p_at
      from unnest(p_hold_ids, p_event_ids) w (hold_id, event_id)
     where h.hold_id = w.hold_id and h.event_id is not distinct from w.event_id and h.status || '' = 'active'
    returning h.event_id, h.hold_id, h.seat_nos)
  select array_agg(e.event_id), array_agg(e.hold_id), array_agg(s.seat_no), count(distinct e.hold_id)
    into v_event_ids, v_hold_ids, v_seat_nos, v_ended
    from ended e cross join lateral unnest(e.seat_nos) s (seat_no);
  if v_ended > 0 then
    perform move_seats('held', 'available', v_event_ids, v_seat_nos, v_hold_ids, null, p_at, null);
  end if;
  return v_ended;
end $$;

-- Ends the holds of these events whose time has passed, at most p_limit of them. Returns how many ended.
create or replace function expire_due_holds(p_event_ids uuid[], p_at timestamptz, p_limit integer)
returns bigint language plpgsql as $$
declare
  v_hold_ids uuid[];
  v_event_ids uuid[];
begin
  select array_agg(h.hold_id), array_agg(h.event_id) into v_hold_ids, v_event_ids
    from (select o.hold_id, o.event_id
            from unnest(p_event_ids) e (event_id)
            cross join lateral (
              select d.hold_id, d.event_id from holds d
               where d.event_id = e.event_id and d.status = 'active' and d.expires_at <= p_at limit p_limit) o
           limit p_limit) h;
  if v_hold_ids is null then
    return 0;
  end if;
  return end_holds(v_hold_ids, v_event_ids, 'expired', p_at);
end $$;

-- What each command's event says, and the seats its user already holds and has booked there.
-- Where the head of a strict queue gathers seats, free seats are spoken for (`reserved`). Whose token names a version
-- that the user has no longer is refused before anything else is said.
create or replace function hold_circumstances(
  p_at timestamptz, p_event_ids uuid[], p_user_ids uuid[], p_token_versions integer[], p_user_seats_max integer,
  out p_outcomes text[], out p_reserved boolean[], out p_shares integer[]
) language plpgsql as $$
begin
  select array_agg(case
           when c.token_version <> coalesce((select u.token_version from users u where u.user_id = c.user_id), -1)
           then 'unauthorized'
           when e.event_id is null then 'event_not_found'
           when not event_is_on_sale(e.status, e.start_time, e.sales_open_at, e.sales_close_at, p_at) then 'not_on_sale'
         end order by c.n),
         array_agg(case when e.waitlist_policy = 'strict' and e.waiting_count > 0
                        then seats_are_kept(e.event_id, e.waitlist_policy, e.waiting_count,
                                            least(e.capacity, e.seats_count), p_user_seats_max)
                        else false end order by c.n),
         array_agg(user_seats(c.event_id, c.user_id) order by c.n)
    into p_outcomes, p_reserved, p_shares
    from unnest(p_event_ids, p_user_ids, p_token_versions) with ordinality c (event_id, user_id, token_version, n)
    left join events e on e.event_id = c.event_id and e.deleted_at is null;
end $$;

-- Seats a user holds (in active holds) and has booked in an event. In PL/pgSQL because there a plan is kept for the
-- session; before PostgreSQL 18 a function in SQL that cannot be inlined is planned anew for every statement.
create or replace function user_seats(p_event_id uuid, p_user_id uuid) returns integer language plpgsql stable as $$
begin
  return coalesce((select sum(cardinality(h.seat_nos)) from holds h
                    where h.event_id = p_event_id and h.user_id = p_user_id
                      and h.status = 'active' and h.expires_at > h.created_at), 0)
       + coalesce((select sum(b.seats_count) from bookings b
                    where b.event_id = p_event_id and b.user_id = p_user_id and b.status = 'active'), 0);
end $$;

-- A hold asked for again, by its idempotency key or (after a lost connection) by its own id: what became of it.
-- Changes nothing. Null outcomes are commands that nobody asked before.
create or replace function recognise_holds(
  p_again boolean, p_event_ids uuid[], p_hold_ids uuid[], p_user_ids uuid[], p_keys text[],
  p_seat_commands integer[], p_seat_nos text[],
  out p_outcomes text[], out p_earlier uuid[]
) language plpgsql as $$
begin
  select array_agg(case
           when h.hold_id is null then null
           when h.seat_nos <> w.seat_nos then 'idempotency_key_reused'
           when h.status = 'active' then 'hold_replayed'
           when h.status = 'converted' then 'hold_already_booked'
           else 'hold_expired'
         end order by c.n),
         array_agg(h.hold_id order by c.n)
    into p_outcomes, p_earlier
    from unnest(p_event_ids, p_hold_ids, p_user_ids, p_keys) with ordinality c (event_id, hold_id, user_id, key, n)
    join (select s.command, array_agg(s.seat_no order by s.n) as seat_nos
            from unnest(p_seat_commands, p_seat_nos) with ordinality s (command, seat_no, n)
           group by s.command) w on w.command = c.n
    left join lateral (
      select * from holds k
       where k.event_id = c.event_id and k.user_id = c.user_id and k.idempotency_key = c.key
      union all
      select * from holds k where p_again and c.key is null and k.hold_id = c.hold_id and k.event_id = c.event_id
      limit 1) h on true;
end $$;

-- Refuses, in arrival order, what a capacity below the number of seats has no room for.
create or replace function refuse_beyond_capacity(p_event_ids uuid[], p_seat_counts integer[], p_outcomes text[])
returns text[] language plpgsql as $$
declare
  v_event record;
  v_command integer;
begin
  for v_event in
    select e.event_id, e.capacity - e.booked_count - e.held_count as room
      from events e where e.event_id = any (p_event_ids) and e.capacity < e.seats_count
  loop
    for v_command in
      select c.n from unnest(p_event_ids) with ordinality c (event_id, n) where c.event_id = v_event.event_id order by c.n
    loop
      if p_outcomes[v_command] = 'hold_placed' then
        if p_seat_counts[v_command] <= v_event.room then
          v_event.room := v_event.room - p_seat_counts[v_command];
        else
          p_outcomes[v_command] := 'capacity_exceeded';
        end if;
      end if;
    end loop;
  end loop;
  return p_outcomes;
end $$;

-- Places holds, each all or nothing. One row a command in p_event_ids, p_hold_ids, p_user_ids, p_token_versions, p_keys;
-- one row a wanted seat in p_seat_commands (the command's number, from 1) and p_seat_nos.
-- Outcomes by precedence: unauthorized (the token names a version that the user has no longer; nobody's token is asked
-- about where the version is null), what a key used before says (hold_replayed, idempotency_key_reused,
-- hold_already_booked, hold_expired), event_not_found, not_on_sale, seats_not_found, seats_unavailable (with every
-- conflict), hold_limit, capacity_exceeded, hold_placed.
-- Invariant: a user's held and booked seats never exceed p_user_seats_max, because the count is taken under the lock.
create or replace function place_holds(
  p_at timestamptz, p_time_to_live interval, p_user_seats_max integer, p_again boolean,
  p_event_ids uuid[], p_hold_ids uuid[], p_user_ids uuid[], p_token_versions integer[], p_keys text[],
  p_seat_commands integer[], p_seat_nos text[]
) returns table (
  command integer, outcome text, id uuid, at timestamptz, until timestamptz, seat_nos text[], statuses text[]
) language plpgsql as $$
#variable_conflict use_column
declare
  v_outcomes text[];
  v_reserved boolean[];
  v_shares integer[];
  v_recognised text[];
  v_earlier uuid[];
  v_counts integer[];
  v_expires_at timestamptz := p_at + p_time_to_live;
  v_event_ids uuid[];
  v_hold_ids uuid[];
  v_seat_nos text[];
  v_refused boolean;
begin
  select c.p_outcomes, c.p_reserved, c.p_shares into v_outcomes, v_reserved, v_shares
    from hold_circumstances(p_at, p_event_ids, p_user_ids, p_token_versions, p_user_seats_max) c;
  if p_again or array_remove(p_keys, null) <> '{}' then
    select r.p_outcomes, r.p_earlier into v_recognised, v_earlier
      from recognise_holds(p_again, p_event_ids, p_hold_ids, p_user_ids, p_keys, p_seat_commands, p_seat_nos) r;
    select array_agg(case when o.outcome = 'unauthorized' then o.outcome else coalesce(o.recognised, o.outcome) end
                     order by o.n) into v_outcomes
      from unnest(v_recognised, v_outcomes) with ordinality o (recognised, outcome, n);
  end if;

  select array_agg(coalesce(v_outcomes[d.command], case
           when d.missing > 0 then 'seats_not_found'
           when d.taken > 0 then 'seats_unavailable'
           when v_shares[d.command] + d.wanted > p_user_seats_max then 'hold_limit'
           else 'hold_placed' end) order by d.command),
         array_agg(d.wanted order by d.command)
    into v_outcomes, v_counts
    from (select w.command, count(*)::integer as wanted,
                 count(*) filter (where s.seat_no is null) as missing,
                 count(*) filter (where s.status <> 'available' or v_reserved[w.command]) as taken
            from unnest(p_seat_commands, p_seat_nos) w (command, seat_no)
            left join seats s on s.event_id = p_event_ids[w.command] and s.seat_no = w.seat_no
           group by w.command) d;
  v_outcomes := refuse_beyond_capacity(p_event_ids, v_counts, v_outcomes);

  select array_agg(p_event_ids[w.command] order by w.n), array_agg(p_hold_ids[w.command] order by w.n),
         array_agg(w.seat_no order by w.n)
    into v_event_ids, v_hold_ids, v_seat_nos
    from unnest(p_seat_commands, p_seat_nos) with ordinality w (command, seat_no, n)
   where v_outcomes[w.command] = 'hold_placed';
  if v_seat_nos is not null then
    insert into holds (hold_id, event_id, user_id, seat_nos, idempotency_key, created_at, expires_at)
    select p_hold_ids[w.command], p_event_ids[w.command], p_user_ids[w.command], array_agg(w.seat_no order by w.n),
           p_keys[w.command], p_at, v_expires_at
      from unnest(p_seat_commands, p_seat_nos) with ordinality w (command, seat_no, n)
     where v_outcomes[w.command] = 'hold_placed'
     group by w.command;
    perform move_seats('available', 'held', v_event_ids, v_seat_nos, v_hold_ids, null, p_at, v_expires_at);
  end if;

  return query
    select o.n::integer, o.outcome, coalesce(v_earlier[o.n], p_hold_ids[o.n]), p_at,
           case when o.outcome = 'hold_placed' then v_expires_at end, null::text[], null::text[]
      from unnest(v_outcomes) with ordinality o (outcome, n)
     where o.outcome in ('hold_placed', 'unauthorized', 'event_not_found', 'not_on_sale', 'hold_limit',
                         'capacity_exceeded', 'idempotency_key_reused', 'hold_expired');
  v_refused := v_outcomes && array['seats_not_found', 'seats_unavailable'];
  if v_refused then
    return query
      select w.command, v_outcomes[w.command], null::uuid, p_at, null::timestamptz, array_agg(w.seat_no order by w.n),
             array_agg(case when s.status = 'available' then 'held' else s.status end order by w.n)
        from unnest(p_seat_commands, p_seat_nos) with ordinality w (command, seat_no, n)
        left join seats s on s.event_id = p_event_ids[w.command] and s.seat_no = w.seat_no
       where (v_outcomes[w.command] = 'seats_not_found' and s.seat_no is null)
          or (v_outcomes[w.command] = 'seats_unavailable' and (s.status <> 'available' or v_reserved[w.command]))
       group by w.command;
  end if;
  if v_earlier is not null then
    return query
      select o.n::integer, o.outcome, case when o.outcome = 'hold_replayed' then h.hold_id else b.booking_id end,
             h.created_at, h.expires_at, h.seat_nos, null::text[]
        from unnest(v_outcomes, v_earlier) with ordinality o (outcome, hold_id, n)
        join holds h on h.hold_id = o.hold_id and h.event_id = p_event_ids[o.n]
        left join bookings b on b.event_id = h.event_id and b.hold_id = h.hold_id
       where o.outcome in ('hold_replayed', 'hold_already_booked');
  end if;
end $$;

-- Lets go of holds. Outcomes: hold_released, hold_over (ended or booked before, or unknown). Freed seats go to
-- waiters first, in this transaction.
create or replace function release_holds(
  p_at timestamptz, p_user_seats_max integer, p_again boolean, p_event_ids uuid[], p_hold_ids uuid[]
) returns table (
  command integer, outcome text, id uuid, at timestamptz, until timestamptz, seat_nos text[], statuses text[]
) language plpgsql as $$
#variable_conflict use_column
declare
  v_outcomes text[];
begin
  select array_agg(case
           when h.status = 'active' or (p_again and h.status = 'released') then 'hold_released' else 'hold_over'
         end order by c.n)
    into v_outcomes
    from unnest(p_event_ids, p_hold_ids) with ordinality c (event_id, hold_id, n)
    left join holds h on h.hold_id = c.hold_id and h.event_id = c.event_id;
  perform end_holds(p_hold_ids, p_event_ids, 'released', p_at);
  perform promote_waiters(p_event_ids, p_at, p_user_seats_max);
  return query
    select o.n::integer, o.outcome, p_hold_ids[o.n], p_at, null::timestamptz, null::text[], null::text[]
      from unnest(v_outcomes) with ordinality o (outcome, n);
end $$;
