-- Events as the organiser changes them. Each locks its one event and settles it first.

-- Applies the members present in p_patch. Outcomes: event_not_found, capacity_in_use (more seats are held or booked
-- than the new cap allows), sale_window_invalid, event_updated. A change that frees room (capacity, status, sale
-- window) serves waiters in the same transaction.
create or replace function update_event_v1(p_event_id uuid, p_patch jsonb, p_user_seats_max integer)
returns text language plpgsql as $$
declare
  v_at timestamptz := lock_events(array[p_event_id]);
  v_event events;
begin
  perform settle_events(array[p_event_id], v_at, p_user_seats_max);
  select * into v_event from events where event_id = p_event_id and deleted_at is null;
  if v_event.event_id is null then
    return 'event_not_found';
  end if;
  if (p_patch ->> 'capacity')::integer < v_event.booked_count + v_event.held_count then
    return 'capacity_in_use';
  end if;
  if (case when p_patch ? 'sales_open_at' then (p_patch ->> 'sales_open_at')::timestamptz else v_event.sales_open_at end
     >= case when p_patch ? 'sales_close_at' then (p_patch ->> 'sales_close_at')::timestamptz else v_event.sales_close_at end)
  then
    return 'sale_window_invalid';
  end if;
  update events set
    name = coalesce(p_patch ->> 'name', name),
    venue = coalesce(p_patch ->> 'venue', venue),
    start_time = coalesce((p_patch ->> 'start_time')::timestamptz, start_time),
    status = coalesce(p_patch ->> 'status', status),
    waitlist_policy = coalesce(p_patch ->> 'waitlist_policy', waitlist_policy),
    metadata = coalesce(p_patch -> 'metadata', metadata),
    capacity = case when p_patch ? 'capacity' then (p_patch ->> 'capacity')::integer else capacity end,
    sales_open_at = case when p_patch ? 'sales_open_at' then (p_patch ->> 'sales_open_at')::timestamptz else sales_open_at end,
    sales_close_at = case when p_patch ? 'sales_close_at' then (p_patch ->> 'sales_close_at')::timestamptz else sales_close_at end,
    updated_at = v_at
   where event_id = p_event_id;
  perform promote_waiters(array[p_event_id], v_at, p_user_seats_max);
  return 'event_updated';
end $$;

-- Takes an event out of sight; its history stays. Outcomes: event_not_found, event_in_use (live holds, bookings or
-- waiters), event_deleted.
create or replace function delete_event_v1(p_event_id uuid, p_user_seats_max integer)
returns text language plpgsql as $$
declare
  v_at timestamptz := lock_events(array[p_event_id]);
  v_event events;
begin
  perform settle_events(array[p_event_id], v_at, p_user_seats_max);
  select * into v_event from events where event_id = p_event_id and deleted_at is null;
  if v_event.event_id is null then
    return 'event_not_found';
  elsif v_event.held_count + v_event.booked_count + v_event.waiting_count > 0 then
    return 'event_in_use';
  end if;
  update events set deleted_at = v_at, updated_at = v_at where event_id = p_event_id;
  return 'event_deleted';
end $$;

-- Events as clients see them: a hold whose time has passed counts as free, whether or not anyone has tidied it up,
-- and where the head of a strict queue gathers seats, none is free for anyone else.
create or replace view event_views as
select e.event_id, e.name, e.venue, e.start_time, e.status,
       coalesce(e.capacity, e.seats_count) as capacity, e.seats_count, e.booked_count,
       e.held_count - o.overdue as held_count,
       case when seats_are_kept(e.event_id, e.waitlist_policy, e.waiting_count, least(e.capacity, e.seats_count)) then 0
            else free_seats(e.seats_count, e.capacity, e.booked_count, e.held_count - o.overdue) end as available,
       e.waiting_count, e.waitlist_mode, e.waitlist_policy, e.sales_open_at, e.sales_close_at, e.metadata,
       e.version, e.chart_version, e.created_at, e.updated_at
  from events e
  cross join lateral (
    select coalesce(sum(cardinality(h.seat_nos)), 0)::integer as overdue from holds h
     where h.event_id = e.event_id and h.status = 'active' and h.expires_at <= (select clock_timestamp())) o
 where e.deleted_at is null;
