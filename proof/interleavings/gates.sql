-- Gates at which a scheduler stops sessions, and scenes that are put back before every schedule.
create schema proof;

-- A session that was given a number (proof.session) counts the gates it comes to and tells each by a notice, which the
-- server sends at once. It waits where the scheduler holds the advisory lock (number, count) and goes on where nobody
-- does. Sequences count, because they do not go back when a transaction does. Sessions without a number pass.
--
-- Gate 0 is one that the client comes to. What follows it in the same breath is the first statement of a function,
-- whose own gate would be the same place once more, so that one is let by.
create function proof.gate(p_gate integer, p_enters boolean default false) returns boolean language plpgsql as $$
declare
  v_session text := coalesce(current_setting('proof.session', true), '');
  v_count bigint;
begin
  if v_session = '' then
    return false;
  end if;
  if p_gate > 0 and current_setting('proof.enters', true) = 'yes' then
    perform set_config('proof.enters', 'no', false);
    return false;
  end if;
  v_count := nextval(('proof.gates_of_' || v_session)::regclass);
  raise notice 'gate % %', v_count, p_gate;
  perform pg_advisory_lock_shared(v_session::integer, v_count::integer);
  perform pg_advisory_unlock_shared(v_session::integer, v_count::integer);
  if p_gate = 0 then
    perform set_config('proof.enters', case when p_enters then 'yes' else 'no' end, false);
  end if;
  return false;
end $$;

create sequence proof.gates_of_1;
create sequence proof.gates_of_2;
create sequence proof.gates_of_3;

create table proof.scenes (
  scene text primary key,
  events events[], seats seats[], holds holds[], waitlist_entries waitlist_entries[], bookings bookings[],
  booking_seats booking_seats[], seat_changes seat_changes[], mails mails[]
);

create function proof.clear() returns void language sql as $$
  delete from mails; delete from seat_changes; delete from booking_seats; delete from bookings;
  delete from waitlist_entries; delete from holds; delete from seats; delete from charts; delete from events;
  delete from sales_pending;
$$;

create function proof.keep_scene(p_scene text) returns void language sql as $$
  insert into proof.scenes values (p_scene,
    (select array_agg(t) from events t), (select array_agg(t) from seats t), (select array_agg(t) from holds t),
    (select array_agg(t) from waitlist_entries t), (select array_agg(t) from bookings t),
    (select array_agg(t) from booking_seats t), (select array_agg(t) from seat_changes t),
    (select array_agg(t) from mails t));
$$;

-- Puts a scene in place of whatever there is. For a session in which triggers and foreign keys are off.
create function proof.set_scene(p_scene text) returns void language plpgsql as $$
declare
  v_scene proof.scenes;
begin
  perform proof.clear();
  select * into strict v_scene from proof.scenes where scene = p_scene;
  insert into events select * from unnest(v_scene.events);
  insert into seats select * from unnest(v_scene.seats);
  insert into holds select * from unnest(v_scene.holds);
  insert into waitlist_entries select * from unnest(v_scene.waitlist_entries);
  insert into bookings select * from unnest(v_scene.bookings);
  insert into booking_seats select * from unnest(v_scene.booking_seats);
  insert into seat_changes select * from unnest(v_scene.seat_changes);
  insert into mails select * from unnest(v_scene.mails);
  -- What the trigger would have recorded; nobody folds here.
  insert into sales_pending
  select event_id, (created_at at time zone 'UTC')::date, 1, (status = 'cancelled')::integer,
         case status when 'active' then seats_count else 0 end
    from bookings;
end $$;

-- How schedules ended, one event a schedule, where the audit finds them all at once (by its search path).
create schema past;
create table past.events (like public.events);
create table past.seats (like public.seats);
create table past.holds (like public.holds);
create table past.waitlist_entries (like public.waitlist_entries);
create table past.bookings (like public.bookings);
create table past.booking_seats (like public.booking_seats);
create table past.seat_changes (like public.seat_changes);
create table past.mails (like public.mails);
create table past.sales_pending (like public.sales_pending);
create table past.sales_spans (like public.sales_spans);
create table past.sales_days (like public.sales_days);

create function proof.forget_past() returns void language sql as $$
  truncate past.events, past.seats, past.holds, past.waitlist_entries, past.bookings, past.booking_seats,
           past.seat_changes, past.mails, past.sales_pending
$$;

-- A row without its times, which differ from run to run, and without the ids of seats, which nothing refers to.
create function proof.timeless(p_row jsonb) returns jsonb language sql immutable as $$
  select p_row - array['created_at', 'updated_at', 'deleted_at', 'start_time', 'expires_at', 'ended_at', 'cancelled_at',
                       'released_at', 'hold_expires_at', 'at', 'next_attempt_at', 'sent_at', 'failed_at', 'seat_id']
$$;

-- Every row of every table, as text that is the same for the same facts.
create function proof.rows() returns text language sql as $$
  select jsonb_object_agg(t.name, t.content)::text from (
    select 'events' as name, jsonb_agg(proof.timeless(to_jsonb(t)) order by t::text) as content from events t
    union all select 'seats', jsonb_agg(proof.timeless(to_jsonb(t)) order by t.seat_no) from seats t
    union all select 'holds', jsonb_agg(proof.timeless(to_jsonb(t)) order by t.hold_id) from holds t
    union all select 'waitlist_entries', jsonb_agg(proof.timeless(to_jsonb(t)) order by t.ticket) from waitlist_entries t
    union all select 'bookings', jsonb_agg(proof.timeless(to_jsonb(t)) order by t.seat_nos, t.hold_id, t.entry_id) from bookings t
    union all select 'booking_seats', jsonb_agg(proof.timeless(to_jsonb(t)) || jsonb_build_object('live', t.released_at is null)
                                                order by b.seat_nos, b.hold_id, b.entry_id, t.seat_no)
      from booking_seats t join bookings b using (booking_id, event_id)
    union all select 'seat_changes', jsonb_agg(proof.timeless(to_jsonb(t)) order by t.version) from seat_changes t
    union all select 'mails', jsonb_agg(proof.timeless(to_jsonb(t)) order by b.seat_nos, b.hold_id, b.entry_id, t.kind)
      from mails t left join bookings b using (booking_id, event_id)) t
$$;

-- Keeps every row there is, as those of another event, and returns them. Made from the tables as they are. Mails count
-- as sent: their delivery is nobody's part here.
do $do$
begin
  execute 'create function proof.put_aside(p_event_id uuid) returns text language sql as $$ ' || (
    select string_agg(format('insert into past.%1$I (event_id, %2$s) select p_event_id, %3$s from public.%1$I;',
                             table_name, columns, replace(columns, 'sent_at', 'coalesce(sent_at, created_at)')), ' ')
      from (select table_name, string_agg(quote_ident(column_name), ', ') as columns
              from information_schema.columns
             where table_schema = 'past' and column_name <> 'event_id' and table_name <> 'sales_days'
             group by table_name) t) || ' select proof.rows() $$';
end $do$;
