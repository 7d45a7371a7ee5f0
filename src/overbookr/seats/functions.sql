-- Seats as the organiser changes them. Each locks its one event, settles it, decides, and hands what became free to
-- waiters in the same transaction.

-- A seat's status at this instant, by the database clock: expiry is a fact, not a job.
create or replace function now_status(p_status text, p_hold_expires_at timestamptz, p_kept boolean, p_at timestamptz)
returns text language sql immutable as $$
  select case
           when p_status = 'held' and p_hold_expires_at <= p_at then case when p_kept then 'held' else 'available' end
           when p_status = 'available' and p_kept then 'held'
           else p_status
         end
$$;

-- Numbers the seats that came without a plan, after those that came with one. Consecutive numbers are neighbours: a
-- new number is skipped where the text before the last digits changes (A12 and B1 do not sit together).
-- Each write connection plans without hash joins, for commands that touch a few rows. This touches a whole house, and a
-- loop over it for each of its seats takes seconds for some thousands.
create or replace function number_loose_seats(p_event_id uuid) returns void language sql
  set enable_hashjoin = on set enable_nestloop = off
as $$
  with placed as materialized (
    select coalesce(max(ordinal), 0) + 2 as first from seats where event_id = p_event_id and seat_guid is not null),
  loose as (
    select seat_no, row_number() over w as n,
           (regexp_replace(seat_no, '[0-9]+$', '')
            is distinct from lag(regexp_replace(seat_no, '[0-9]+$', '')) over w)::integer as starts_row
      from seats where event_id = p_event_id and seat_guid is null
    window w as (order by sort_key, seat_no)),
  numbered as materialized (
    select l.seat_no, p.first + l.n + sum(l.starts_row) over (order by l.n) as ordinal from loose l cross join placed p)
  update seats s set ordinal = n.ordinal from numbered n
   where s.event_id = p_event_id and s.seat_no = n.seat_no and s.ordinal <> n.ordinal
$$;

-- Adds seats by label; labels that exist are skipped. Returns false when there is no such event.
create or replace function add_seats_v1(
  p_event_id uuid, p_seat_ids uuid[], p_seat_nos text[], p_sort_keys text[], p_user_seats_max integer
) returns boolean language plpgsql as $$
declare
  v_at timestamptz := lock_events(array[p_event_id]);
  v_added text[];
begin
  if not exists (select 1 from events where event_id = p_event_id and deleted_at is null) then
    return false;
  end if;
  perform settle_events(array[p_event_id], v_at, p_user_seats_max);
  with added as (
    insert into seats (event_id, seat_no, seat_id, sort_key, ordinal, created_at, updated_at)
    select p_event_id, n.seat_no, n.seat_id, n.sort_key, 0, v_at, v_at
      from unnest(p_seat_nos, p_seat_ids, p_sort_keys) n (seat_no, seat_id, sort_key)
        on conflict (event_id, seat_no) do nothing
    returning seat_no, sort_key)
  select array_agg(seat_no order by sort_key) into v_added from added;
  if v_added is not null then
    perform number_loose_seats(p_event_id);
    perform record_seat_changes(null, 'available', array_fill(p_event_id, array[cardinality(v_added)]), v_added,
                                null, null, v_at);
    perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);
  end if;
  return true;
end $$;

-- Takes seats off sale, or puts them back. Outcomes: event_not_found, seats_not_found and seats_unavailable (both name
-- the seats), seats_changed. All or nothing; a seat that is in the wanted state already stays so.
create or replace function block_seats_v1(
  p_event_id uuid, p_seat_nos text[], p_block boolean, p_reason text, p_user_seats_max integer
) returns table (outcome text, seat_nos text[], statuses text[]) language plpgsql as $$
#variable_conflict use_column
declare
  v_at timestamptz := lock_events(array[p_event_id]);
  v_missing text[];
  v_taken text[];
  v_taken_statuses text[];
  v_changing text[];
begin
  if not exists (select 1 from events where event_id = p_event_id and deleted_at is null) then
    return query select 'event_not_found'::text, null::text[], null::text[];
    return;
  end if;
  perform settle_events(array[p_event_id], v_at, p_user_seats_max);
  select array_agg(w.seat_no order by w.n) filter (where s.seat_no is null),
         array_agg(w.seat_no order by w.n) filter (where s.status in ('held', 'booked')),
         array_agg(s.status order by w.n) filter (where s.status in ('held', 'booked')),
         array_agg(w.seat_no order by w.n) filter (where s.status = case when p_block then 'available' else 'blocked' end)
    into v_missing, v_taken, v_taken_statuses, v_changing
    from unnest(p_seat_nos) with ordinality w (seat_no, n)
    left join seats s on s.event_id = p_event_id and s.seat_no = w.seat_no;
  if v_missing is not null then
    return query select 'seats_not_found'::text, v_missing, null::text[];
    return;
  elsif v_taken is not null then
    return query select 'seats_unavailable'::text, v_taken, v_taken_statuses;
    return;
  elsif v_changing is not null then
    perform move_seats(case when p_block then 'available' else 'blocked' end,
                       case when p_block then 'blocked' else 'available' end,
                       array_fill(p_event_id, array[cardinality(v_changing)]), v_changing, null, null, v_at, null);
  end if;
  update seats set block_reason = case when p_block then p_reason end
   where event_id = p_event_id and seat_no = any (p_seat_nos);
  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);
  return query select 'seats_changed'::text, p_seat_nos, null::text[];
end $$;

-- Puts a seating plan in place of what there is. A seat is its label: a label in the new plan keeps its state, one that
-- is not vanishes, and when any of those is sold or held nothing is changed. Outcomes: event_not_found,
-- seats_in_use (names them), plan_replaced. Arrays are parallel, one element a seat of the plan.
create or replace function replace_plan_v1(
  p_event_id uuid, p_document text, p_seat_ids uuid[], p_seat_nos text[], p_sort_keys text[], p_ordinals integer[],
  p_sections text[], p_rows text[], p_categories text[], p_guids text[], p_user_seats_max integer
) returns table (outcome text, chart_version integer, seats integer, seat_nos text[]) language plpgsql
  -- A whole plan against a whole house is the one place where hashing beats looking up.
  set enable_hashjoin = on set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_at timestamptz := lock_events(array[p_event_id]);
  v_chart_version integer;
  v_in_use text[];
  v_gone text[];
  v_added text[];
  v_status text;
begin
  select e.chart_version + 1 into v_chart_version from events e where e.event_id = p_event_id and e.deleted_at is null;
  if v_chart_version is null then
    return query select 'event_not_found'::text, null::integer, null::integer, null::text[];
    return;
  end if;
  perform settle_events(array[p_event_id], v_at, p_user_seats_max);
  select array_agg(s.seat_no order by s.sort_key) into v_in_use
    from seats s where s.event_id = p_event_id and s.status in ('held', 'booked')
     and not exists (select 1 from unnest(p_seat_nos) n (seat_no) where n.seat_no = s.seat_no);
  if v_in_use is not null then
    return query select 'seats_in_use'::text, null::integer, null::integer, v_in_use;
    return;
  end if;

  foreach v_status in array array['available', 'blocked'] loop
    with gone as (
      delete from seats s where s.event_id = p_event_id and s.status = v_status
         and not exists (select 1 from unnest(p_seat_nos) n (seat_no) where n.seat_no = s.seat_no)
      returning s.seat_no)
    select array_agg(g.seat_no) into v_gone from gone g;
    if v_gone is not null then
      perform record_seat_changes(v_status, null, array_fill(p_event_id, array[cardinality(v_gone)]), v_gone, null, null, v_at);
    end if;
  end loop;

  update seats s
     set sort_key = n.sort_key, ordinal = n.ordinal, section = n.section, row_label = n.row_label,
         category = n.category, seat_guid = n.guid, updated_at = v_at
    from unnest(p_seat_nos, p_sort_keys, p_ordinals, p_sections, p_rows, p_categories, p_guids)
         n (seat_no, sort_key, ordinal, section, row_label, category, guid)
   where s.event_id = p_event_id and s.seat_no = n.seat_no;
  with added as (
    insert into seats (event_id, seat_no, seat_id, sort_key, ordinal, section, row_label, category, seat_guid, created_at, updated_at)
    select p_event_id, n.seat_no, n.seat_id, n.sort_key, n.ordinal, n.section, n.row_label, n.category, n.guid, v_at, v_at
      from unnest(p_seat_nos, p_seat_ids, p_sort_keys, p_ordinals, p_sections, p_rows, p_categories, p_guids)
           n (seat_no, seat_id, sort_key, ordinal, section, row_label, category, guid)
        on conflict (event_id, seat_no) do nothing
    returning seat_no, ordinal)
  select array_agg(a.seat_no order by a.ordinal) into v_added from added a;
  if v_added is not null then
    perform record_seat_changes(null, 'available', array_fill(p_event_id, array[cardinality(v_added)]), v_added, null, null, v_at);
  end if;
  insert into charts (event_id, chart_version, document, created_at) values (p_event_id, v_chart_version, p_document, v_at);
  update events set chart_version = v_chart_version, updated_at = v_at where event_id = p_event_id;
  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);
  return query select 'plan_replaced'::text, v_chart_version, cardinality(p_seat_nos), null::text[];
end $$;
