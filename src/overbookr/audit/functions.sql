-- Repairs. What follows from facts that are beyond doubt is put right; what does not is named and left to people.
--
-- The facts, in this order: live seats of active bookings, then active holds that can be kept whole, then what is
-- blocked; everything else is available. Counters follow from the seats, and are written once, from a count of the
-- seats as they will be: never set and then moved as well, which is how a count falls below the truth and a house is
-- oversold. History is only ever continued: a repaired seat goes on from its last recorded state by legal changes, so that
-- whoever follows the changes arrives at the repaired state too.

-- The legal changes from one state of a seat to another, as rows of seat_changes without their numbers; null is a seat
-- that is not there. From a state to itself they lead out and back, so that a reader who saw the wrong row hears of it.
create or replace function legal_changes(
  p_from text, p_from_hold_id uuid, p_from_booking_id uuid, p_to text, p_to_hold_id uuid, p_to_booking_id uuid
) returns jsonb language sql immutable as $$
  select jsonb_agg(to_jsonb(c) - 'n' order by c.n)
    from (select 1 as n, p_from as from_status, 'available' as to_status,
                 case when p_from = 'held' then p_from_hold_id end as hold_id,
                 case when p_from = 'booked' then p_from_booking_id end as booking_id
           where p_from is distinct from 'available'
          union all
          select 2, 'available', 'blocked', null, null where p_from = 'available' and p_to = 'available'
          union all
          select 3, 'blocked', 'available', null, null where p_from = 'available' and p_to = 'available'
          union all
          select 4, 'available', p_to, case when p_to = 'held' then p_to_hold_id end,
                 case when p_to = 'booked' then p_to_booking_id end
           where p_to is distinct from 'available') c
$$;

-- What each seat is claimed by: live seats of active bookings, and active holds that became no booking.
create or replace function seat_claims(p_event_id uuid)
returns table (seat_no text, hold_id uuid, expires_at timestamptz, booking_id uuid) language sql stable as $$
  select l.seat_no, null::uuid, null::timestamptz, b.booking_id
    from booking_seats l
    join bookings b on b.booking_id = l.booking_id and b.event_id = l.event_id and b.status = 'active'
   where l.event_id = p_event_id and l.released_at is null
  union all
  select distinct n.seat_no, h.hold_id, h.expires_at, null::uuid
    from holds h cross join lateral unnest(h.seat_nos) n (seat_no)
   where h.event_id = p_event_id and h.status = 'active'
     and not exists (select 1 from bookings b where b.event_id = h.event_id and b.hold_id = h.hold_id)
$$;

-- Seats about which the facts disagree, with why. No repair touches them.
create or replace function disputed_seats(p_event_id uuid)
returns table (seat_no text, dispute text) language sql stable as $$
  select distinct on (d.seat_no) d.seat_no, d.dispute
    from (select c.seat_no, 1 as n, 'seat_is_sold_twice' as dispute
            from seat_claims(p_event_id) c where c.booking_id is not null
           group by c.seat_no having count(*) > 1
          union all
          select c.seat_no, 2, 'sold_seat_is_missing'
            from seat_claims(p_event_id) c
           where c.booking_id is not null
             and not exists (select 1 from seats s where s.event_id = p_event_id and s.seat_no = c.seat_no)
          union all
          select n.seat_no, 3, 'booking_is_not_whole'
            from bookings b cross join lateral unnest(b.seat_nos) n (seat_no)
           where b.event_id = p_event_id and b.status = 'active'
             and not exists (select 1 from booking_seats l where l.event_id = b.event_id and l.booking_id = b.booking_id
                                and l.seat_no = n.seat_no and l.released_at is null)
          union all
          select s.seat_no, 4, 'booking_is_lost'
            from (select seat_no, booking_id from seats where event_id = p_event_id and booking_id is not null
                  union
                  select seat_no, booking_id from booking_seats where event_id = p_event_id and released_at is null) s
           where not exists (select 1 from bookings b where b.event_id = p_event_id and b.booking_id = s.booking_id)
             and not exists (select 1 from seat_claims(p_event_id) c
                              where c.seat_no = s.seat_no and c.booking_id is not null)) d
   order by d.seat_no, d.n
$$;

-- Active holds that cannot be kept whole: a seat of theirs is sold, gone, in dispute, or another hold's. Of several
-- holds that claim a seat it belongs to the one that the seat names, else to the oldest.
create or replace function broken_holds(p_event_id uuid) returns setof uuid language sql stable as $$
  select distinct c.hold_id
    from (select k.*, s.seat_no is null as is_gone, s.hold_id is not distinct from k.hold_id as is_named,
                 bool_or(k.booking_id is not null) over (partition by k.seat_no) as is_sold,
                 row_number() over (partition by k.seat_no
                                    order by k.booking_id, s.hold_id is not distinct from k.hold_id desc, k.hold_id) as place
            from seat_claims(p_event_id) k
            left join seats s on s.event_id = p_event_id and s.seat_no = k.seat_no) c
    left join disputed_seats(p_event_id) d on d.seat_no = c.seat_no
   where c.hold_id is not null
     and (c.is_sold or c.is_gone or c.place > 1 or (d.seat_no is not null and not c.is_named))
$$;

-- Every seat that is there or ever was: what its row says, where its history ends, and what the facts want it to be. A
-- seat in dispute is wanted as it is.
create or replace function audited_seats(p_event_id uuid)
returns table (
  seat_no text, dispute text,
  status text, hold_id uuid, hold_expires_at timestamptz, booking_id uuid,
  past_status text, past_hold_id uuid, past_booking_id uuid,
  wanted_status text, wanted_hold_id uuid, wanted_expires_at timestamptz, wanted_booking_id uuid
) language sql stable as $$
  with past as (
    select distinct on (c.seat_no) c.seat_no, c.to_status, c.hold_id, c.booking_id
      from seat_changes c where c.event_id = p_event_id order by c.seat_no, c.version desc),
  broken as materialized (select h from broken_holds(p_event_id) h),
  claims as (
    select distinct on (c.seat_no) c.*
      from seat_claims(p_event_id) c
     where c.hold_id is null or c.hold_id not in (select h from broken)
     order by c.seat_no, c.booking_id, c.hold_id)
  select a.seat_no, d.dispute, s.status, s.hold_id, s.hold_expires_at, s.booking_id, p.to_status,
         case when p.to_status = 'held' then p.hold_id end, case when p.to_status = 'booked' then p.booking_id end,
         case when d.dispute is not null then s.status
              when s.seat_no is null then null
              when c.booking_id is not null then 'booked'
              when c.hold_id is not null then 'held'
              when s.status = 'blocked' then 'blocked'
              else 'available' end,
         case when d.dispute is null then c.hold_id else s.hold_id end,
         case when d.dispute is null then c.expires_at else s.hold_expires_at end,
         case when d.dispute is null then c.booking_id else s.booking_id end
    from (select k.seat_no from seats k where k.event_id = p_event_id
          union select k.seat_no from past k
          union select k.seat_no from claims k
          union select k.seat_no from disputed_seats(p_event_id) k) a
    left join seats s on s.event_id = p_event_id and s.seat_no = a.seat_no
    left join past p on p.seat_no = a.seat_no
    left join claims c on c.seat_no = a.seat_no
    left join disputed_seats(p_event_id) d on d.seat_no = a.seat_no
$$;

-- Holds, entries, booking seats and mails that contradict a booking which is beyond doubt, and holds that cannot be kept.
create or replace function plan_claim_repairs(p_event_id uuid)
returns table (kind text, repairable boolean, description text, parameters jsonb) language sql stable as $$
  select 'convert_hold', true, format('hold %s is %s although booking %s came of it: converted', h.hold_id, h.status, b.booking_id),
         jsonb_build_object('hold_id', h.hold_id, 'ended_at', b.created_at)
    from holds h join bookings b on b.event_id = h.event_id and b.hold_id = h.hold_id
   where h.event_id = p_event_id and h.status <> 'converted'
  union all
  select 'end_hold', true, format('hold %s cannot be kept whole: ended', k), jsonb_build_object('hold_id', k)
    from broken_holds(p_event_id) k
  union all
  select 'promote_entry', true,
         format('entry %s is %s although booking %s serves it: promoted', w.entry_id, w.status, b.booking_id),
         jsonb_build_object('entry_id', w.entry_id, 'updated_at', b.created_at)
    from waitlist_entries w join bookings b on b.event_id = w.event_id and b.entry_id = w.entry_id
   where w.event_id = p_event_id and w.status <> 'promoted'
  union all
  select 'release_seat', true, format('seat %s is still bound to cancelled booking %s: released', l.seat_no, b.booking_id),
         jsonb_build_object('booking_id', b.booking_id, 'seat_no', l.seat_no, 'released_at', coalesce(b.cancelled_at, b.updated_at))
    from booking_seats l join bookings b on b.booking_id = l.booking_id and b.event_id = l.event_id
   where l.event_id = p_event_id and l.released_at is null and b.status = 'cancelled'
  union all
  select 'owe_mail', true, format('booking %s was never owed its mail %s: owed now', b.booking_id, o.kind),
         jsonb_build_object('booking_id', b.booking_id, 'kind', o.kind)
    from bookings b
    cross join lateral (
      select case when b.hold_id is null then 'waitlist_promoted' else 'booking_confirmed' end
      union all select 'booking_cancelled' where b.status = 'cancelled') o (kind)
   where b.event_id = p_event_id
     and not exists (select 1 from mails m where m.booking_id = b.booking_id and m.event_id = b.event_id and m.kind = o.kind)
  union all
  select 'hold_lost_its_booking', false, format('hold %s is converted, but there is no booking of it', h.hold_id),
         jsonb_build_object('hold_id', h.hold_id)
    from holds h
   where h.event_id = p_event_id and h.status = 'converted'
     and not exists (select 1 from bookings b where b.event_id = h.event_id and b.hold_id = h.hold_id)
  union all
  select 'entry_lost_its_booking', false, format('entry %s is promoted, but there is no booking of it', w.entry_id),
         jsonb_build_object('entry_id', w.entry_id)
    from waitlist_entries w
   where w.event_id = p_event_id and w.status = 'promoted'
     and not exists (select 1 from bookings b where b.event_id = w.event_id and b.entry_id = w.entry_id)
$$;

-- Seats that differ from what the facts want, in their row or at the end of their history; disputes; and history
-- that contradicts itself, which nobody may rewrite.
create or replace function plan_seat_repairs(p_event_id uuid)
returns table (kind text, repairable boolean, description text, parameters jsonb) language sql stable as $$
  select case when a.dispute is null then 'set_seat' else a.dispute end, a.dispute is null,
         case when a.dispute is null
              then format('seat %s is %s, its history ends %s: %s', a.seat_no, coalesce(a.status, 'gone'),
                          coalesce(a.past_status, 'gone'), coalesce(a.wanted_status, 'gone')
                          || coalesce(' by hold ' || a.wanted_hold_id, ' by booking ' || a.wanted_booking_id, ''))
              else format('seat %s: %s', a.seat_no, replace(a.dispute, '_', ' ')) end,
         jsonb_build_object('seat_no', a.seat_no) || case when a.dispute is not null then '{}'::jsonb else
           jsonb_build_object('status', a.wanted_status, 'hold_id', a.wanted_hold_id,
             'hold_expires_at', a.wanted_expires_at, 'booking_id', a.wanted_booking_id,
             'changes', legal_changes(a.past_status, a.past_hold_id, a.past_booking_id,
                                      a.wanted_status, a.wanted_hold_id, a.wanted_booking_id)) end
    from audited_seats(p_event_id) a
   where a.dispute is not null
      or (a.status, a.hold_id, a.hold_expires_at, a.booking_id)
         is distinct from (a.wanted_status, a.wanted_hold_id, a.wanted_expires_at, a.wanted_booking_id)
      or (a.past_status, a.past_hold_id, a.past_booking_id)
         is distinct from (a.wanted_status, a.wanted_hold_id, a.wanted_booking_id)
  union all
  select 'history_has_a_gap', false,
         format('%s changes, numbered up to %s, event at version %s', count(*), max(c.version), e.version), '{}'
    from events e left join seat_changes c on c.event_id = e.event_id
   where e.event_id = p_event_id
   group by e.event_id, e.version
  having count(c.version) <> coalesce(max(c.version), 0) or e.version > coalesce(max(c.version), 0)
  union all
  select 'history_contradicts_itself', false,
         format('change %s of seat %s does not start where the one before it ended', c.version, c.seat_no),
         jsonb_build_object('version', c.version, 'seat_no', c.seat_no)
    from (select k.version, k.seat_no, k.from_status, k.hold_id, k.booking_id,
                 lag(k.to_status) over w as was, lag(k.hold_id) over w as was_hold_id, lag(k.booking_id) over w as was_booking_id
            from seat_changes k where k.event_id = p_event_id window w as (partition by k.seat_no order by k.version)) c
   where c.from_status is distinct from c.was
      or (c.from_status = 'held' and c.hold_id is distinct from c.was_hold_id)
      or (c.from_status = 'booked' and c.booking_id is distinct from c.was_booking_id)
$$;

-- The counters as they will be true once claims and seats are repaired.
create or replace function plan_counter_repairs(p_event_id uuid)
returns table (kind text, repairable boolean, description text, parameters jsonb) language sql stable as $$
  with seat_counts as (
    select count(*) filter (where a.wanted_status <> 'blocked') as seats_count,
           count(*) filter (where a.wanted_status = 'held') as held_count,
           count(*) filter (where a.wanted_status = 'booked') as booked_count
      from audited_seats(p_event_id) a),
  queue_counts as (
    select count(*) filter (where w.status = 'waiting' and not exists (
             select 1 from bookings b where b.event_id = w.event_id and b.entry_id = w.entry_id)) as waiting_count,
           coalesce(max(w.ticket), 0) as waitlist_tickets
      from waitlist_entries w where w.event_id = p_event_id),
  versions as (select coalesce(max(c.version), 0) as version from seat_changes c where c.event_id = p_event_id),
  truth as (
    select s.*, q.waiting_count, greatest(q.waitlist_tickets, e.waitlist_tickets) as waitlist_tickets,
           greatest(v.version, e.version) as version
      from events e cross join seat_counts s cross join queue_counts q cross join versions v
     where e.event_id = p_event_id)
  select 'set_' || c.key, true, format('%s is %s: %s', c.key, c.value, t.value), jsonb_build_object(c.key, t.value)
    from events e
    cross join truth
    cross join lateral jsonb_each_text(to_jsonb(e)) c
    join lateral jsonb_each_text(to_jsonb(truth)) t on t.key = c.key
   where e.event_id = p_event_id and c.value is distinct from t.value
$$;

-- Everything that differs at one event: what can be put right (a kind that is a command) and what cannot (a kind that is
-- a statement). Changes nothing. Where the facts themselves exceed the capacity nothing can be put right, because no
-- true counter would be accepted: raise the capacity or cancel first.
create or replace function plan_event_repairs_v1(p_event_id uuid)
returns table (kind text, repairable boolean, description text, parameters jsonb) language plpgsql stable
  -- An audit reads whole events, where hashing beats looking up.
  set enable_hashjoin = on set enable_mergejoin = on set enable_seqscan = on set plan_cache_mode = force_custom_plan
as $$
declare
  v_capacity integer;
  v_taken bigint;
begin
  select e.capacity into v_capacity from events e where e.event_id = p_event_id;
  if not found then
    return query select 'event_is_missing', false, 'there is no such event', '{}'::jsonb;
    return;
  end if;
  select count(*) filter (where a.wanted_status in ('held', 'booked')) into v_taken from audited_seats(p_event_id) a;
  if v_taken > v_capacity then
    return query select 'capacity_is_exceeded', false, format('%s seats are taken, the capacity is %s', v_taken, v_capacity),
                        jsonb_build_object('taken', v_taken, 'capacity', v_capacity);
    return;
  end if;
  return query select * from plan_claim_repairs(p_event_id);
  return query select * from plan_seat_repairs(p_event_id);
  return query select * from plan_counter_repairs(p_event_id);
end $$;

-- Carries out a plan's repairs of holds, entries, booking seats and mails.
create or replace function apply_claim_repairs(p_event_id uuid, p_plan jsonb, p_at timestamptz)
returns void language plpgsql as $$
begin
  update booking_seats l set released_at = r.released_at
    from jsonb_to_recordset(p_plan) p (kind text, parameters jsonb)
    cross join lateral jsonb_to_record(p.parameters) r (booking_id uuid, seat_no text, released_at timestamptz)
   where p.kind = 'release_seat' and l.event_id = p_event_id and l.booking_id = r.booking_id and l.seat_no = r.seat_no;
  update holds h
     set status = case p.kind when 'convert_hold' then 'converted' when 'end_hold' then
                    case when h.expires_at <= p_at then 'expired' else 'released' end end,
         ended_at = coalesce(r.ended_at, p_at)
    from jsonb_to_recordset(p_plan) p (kind text, parameters jsonb)
    cross join lateral jsonb_to_record(p.parameters) r (hold_id uuid, ended_at timestamptz)
   where p.kind in ('convert_hold', 'end_hold') and h.event_id = p_event_id and h.hold_id = r.hold_id;
  update waitlist_entries w set status = 'promoted', updated_at = r.updated_at
    from jsonb_to_recordset(p_plan) p (kind text, parameters jsonb)
    cross join lateral jsonb_to_record(p.parameters) r (entry_id uuid, updated_at timestamptz)
   where p.kind = 'promote_entry' and w.event_id = p_event_id and w.entry_id = r.entry_id;
  insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)
  select r.booking_id, p_event_id, r.kind, p_at, p_at
    from jsonb_to_recordset(p_plan) p (kind text, parameters jsonb)
    cross join lateral jsonb_to_record(p.parameters) r (booking_id uuid, kind text)
   where p.kind = 'owe_mail';
end $$;

-- Carries out a plan's repairs of seats and counters. Does not use record_seat_changes, which moves the counters: here
-- they are set, once, to what the plan counted.
create or replace function apply_seat_repairs(p_event_id uuid, p_plan jsonb, p_at timestamptz)
returns void language plpgsql as $$
declare
  v_counters jsonb;
  v_version bigint;
  v_changes bigint;
begin
  update seats s
     set status = r.status, hold_id = r.hold_id, hold_expires_at = r.hold_expires_at, booking_id = r.booking_id,
         block_reason = case when r.status = 'blocked' then s.block_reason end, updated_at = p_at
    from jsonb_to_recordset(p_plan) p (kind text, parameters jsonb)
    cross join lateral jsonb_to_record(p.parameters) r
      (seat_no text, status text, hold_id uuid, hold_expires_at timestamptz, booking_id uuid)
   where p.kind = 'set_seat' and s.event_id = p_event_id and s.seat_no = r.seat_no;

  select jsonb_object_agg(c.key, c.value) into v_counters
    from jsonb_to_recordset(p_plan) p (kind text, repairable boolean, parameters jsonb)
    cross join lateral jsonb_each(p.parameters) c
   where p.repairable and p.kind = 'set_' || c.key;
  select coalesce((v_counters ->> 'version')::bigint, e.version) into v_version from events e where e.event_id = p_event_id;
  insert into seat_changes (event_id, version, seat_no, from_status, to_status, hold_id, booking_id, at)
  select p_event_id, v_version + row_number() over (order by p.n, c.n), p.parameters ->> 'seat_no',
         c.change ->> 'from_status', c.change ->> 'to_status',
         (c.change ->> 'hold_id')::uuid, (c.change ->> 'booking_id')::uuid, p_at
    from (select j.value ->> 'kind' as kind, j.value -> 'parameters' as parameters, j.n
            from jsonb_array_elements(p_plan) with ordinality j (value, n)) p
    cross join lateral jsonb_array_elements(p.parameters -> 'changes') with ordinality c (change, n)
   where p.kind = 'set_seat';
  get diagnostics v_changes = row_count;

  update events e
     set version = v_version + v_changes,
         seats_count = coalesce((v_counters ->> 'seats_count')::integer, e.seats_count),
         held_count = coalesce((v_counters ->> 'held_count')::integer, e.held_count),
         booked_count = coalesce((v_counters ->> 'booked_count')::integer, e.booked_count),
         waiting_count = coalesce((v_counters ->> 'waiting_count')::integer, e.waiting_count),
         waitlist_tickets = coalesce((v_counters ->> 'waitlist_tickets')::bigint, e.waitlist_tickets)
   where e.event_id = p_event_id;
end $$;

-- Repairs one event under its lock and returns what it did and what it could not do. The plan is made again under
-- the lock, so that a plan made earlier and read by people is never carried out on facts that have moved on. Freed
-- seats go to waiters in the same transaction, unless something is left that only people can decide.
-- Must not run in a transaction with an older snapshot: READ COMMITTED.
create or replace function repair_event_v1(p_event_id uuid, p_user_seats_max integer)
returns table (kind text, repairable boolean, description text, parameters jsonb) language plpgsql as $$
declare
  v_at timestamptz := lock_events(array[p_event_id]);
  v_plan jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(p)), '[]') into v_plan from plan_event_repairs_v1(p_event_id) p;
  if jsonb_path_exists(v_plan, '$[*] ? (@.repairable == true)') then
    perform apply_claim_repairs(p_event_id, v_plan, v_at);
    perform apply_seat_repairs(p_event_id, v_plan, v_at);
    if not jsonb_path_exists(v_plan, '$[*] ? (@.repairable == false)') then
      perform settle_events(array[p_event_id], v_at, p_user_seats_max);
    end if;
  end if;
  return query
    select r.* from jsonb_to_recordset(v_plan) r (kind text, repairable boolean, description text, parameters jsonb);
end $$;

-- Keeps what an audit has found: with the latest one when the counts are the same, else as a row of its own; the newest
-- p_most rows stay. Takes the table's lock, so that audits of two processes come one after the other; nobody else
-- writes there.
create or replace function record_audit_v1(
  p_audit_id uuid, p_at timestamptz, p_seconds double precision, p_population jsonb, p_counts jsonb, p_findings jsonb,
  p_most integer
) returns void language plpgsql as $$
declare
  v_latest audits;
begin
  lock table audits in share row exclusive mode;
  select * into v_latest from audits order by last_at desc limit 1;
  if v_latest.last_at >= p_at then
    return;
  elsif v_latest.counts = p_counts then
    update audits
       set last_at = p_at, times = times + 1, seconds = p_seconds, population = p_population, findings = p_findings
     where audit_id = v_latest.audit_id;
    return;
  end if;
  insert into audits (audit_id, first_at, last_at, times, seconds, population, counts, findings)
  values (p_audit_id, p_at, p_at, 1, p_seconds, p_population, p_counts, p_findings);
  delete from audits where last_at < (select last_at from audits order by last_at desc offset p_most - 1 limit 1);
end $$;
