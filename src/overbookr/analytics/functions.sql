-- Sales in spans: what reports read instead of the bookings.
--
-- The law, at every instant and in every snapshot: for every event and day, the spans of each length and what is
-- pending make together what a recount of the bookings gives; and so do the days, for all events together. The trigger
-- on bookings (record_sales) adds to what is pending in the transaction that changes bookings. Only the functions here
-- write spans and days, one of them at a time.
--
-- Lock order: an advisory lock of their own, then nothing that anybody waits for. They lock no event and are called by
-- no function that does. They need READ COMMITTED: what is decided under the lock must see what was committed before
-- it.

-- The first day of the span of so many days, a power of two, in which a day lies.
create or replace function first_of_span(p_day date, p_span_days integer) returns date language sql immutable as $$
  select date '1970-01-01' + ((p_day - date '1970-01-01') & -p_span_days)
$$;

-- The lock of those who write spans and days.
create or replace function sales_lock() returns bigint language sql immutable as $$ select 711202602 $$;

-- Moves up to p_limit pending rows into spans and days, in one transaction, so that no reader sees a sale twice or not
-- at all. Returns how many were moved; 0 also when somebody else is at it.
create or replace function fold_sales_v1(p_limit integer) returns integer language plpgsql as $$
declare
  v_moved integer;
begin
  if not pg_try_advisory_xact_lock(sales_lock()) then
    return 0;
  end if;
  with taken as (
    delete from sales_pending where ctid = any (array(select p.ctid from sales_pending p limit p_limit))
    returning event_id, day, bookings, cancelled, seats),
  days as (
    insert into sales_days as s (day, bookings, cancelled, seats)
    select t.day, sum(t.bookings), sum(t.cancelled), sum(t.seats) from taken t group by t.day
    on conflict (day) do update
      set bookings = s.bookings + excluded.bookings, cancelled = s.cancelled + excluded.cancelled,
          seats = s.seats + excluded.seats),
  spans as (
    insert into sales_spans as s (span_days, first_day, event_id, bookings, cancelled, seats)
    select n.span_days, first_of_span(t.day, n.span_days), t.event_id, sum(t.bookings), sum(t.cancelled), sum(t.seats)
      from taken t cross join (values (1), (8), (64)) n (span_days)
     group by 1, 2, 3
    on conflict (span_days, first_day, event_id) do update
      set bookings = s.bookings + excluded.bookings, cancelled = s.cancelled + excluded.cancelled,
          seats = s.seats + excluded.seats)
  select count(*) into v_moved from taken;
  return v_moved;
end $$;

-- The spans and days that do not say what they must, with what they must say: a recount of the bookings without what is
-- pending. A row without an event is a day of all events. All of it in the snapshot of the statement that asks.
create or replace function wrong_sales()
returns table (span_days integer, first_day date, event_id uuid, bookings bigint, cancelled bigint, seats bigint)
language sql stable as $$
  with truth as materialized (
    select b.event_id, b.day, sum(b.bookings)::bigint as bookings, sum(b.cancelled)::bigint as cancelled,
           sum(b.seats)::bigint as seats
      from (select k.event_id, (k.created_at at time zone 'UTC')::date as day, count(*) as bookings,
                   count(*) filter (where k.status = 'cancelled') as cancelled,
                   coalesce(sum(k.seats_count) filter (where k.status = 'active'), 0) as seats
              from bookings k group by 1, 2
            union all
            select p.event_id, p.day, -p.bookings, -p.cancelled, -p.seats from sales_pending p) b
     group by b.event_id, b.day)
  select w.span_days, w.first_day, w.event_id, sum(w.bookings)::bigint, sum(w.cancelled)::bigint, sum(w.seats)::bigint
    from (select n.span_days, first_of_span(t.day, n.span_days) as first_day, t.event_id, t.bookings, t.cancelled,
                 t.seats, 0 as said_bookings, 0 as said_cancelled, 0 as said_seats
            from truth t cross join (values (1), (8), (64)) n (span_days)
          union all
          select 1, t.day, null, t.bookings, t.cancelled, t.seats, 0, 0, 0 from truth t
          union all
          select s.span_days, s.first_day, s.event_id, 0, 0, 0, s.bookings, s.cancelled, s.seats from sales_spans s
          union all
          select 1, d.day, null, 0, 0, 0, d.bookings, d.cancelled, d.seats from sales_days d) w
   group by w.span_days, w.first_day, w.event_id
  having (sum(w.bookings), sum(w.cancelled), sum(w.seats)) <>
         (sum(w.said_bookings), sum(w.said_cancelled), sum(w.said_seats))
$$;

-- Makes spans and days say what a recount gives; returns how many did not. One statement sees bookings, pending rows
-- and counts in one snapshot, so selling goes on meanwhile and what it adds stays pending.
create or replace function recount_sales_v1() returns bigint language plpgsql as $$
declare
  v_wrong bigint;
begin
  perform pg_advisory_xact_lock(sales_lock());
  with wrong as materialized (select * from wrong_sales()),
  days as (
    insert into sales_days (day, bookings, cancelled, seats)
    select w.first_day, w.bookings, w.cancelled, w.seats from wrong w where w.event_id is null
    on conflict (day) do update
      set bookings = excluded.bookings, cancelled = excluded.cancelled, seats = excluded.seats),
  spans as (
    insert into sales_spans (span_days, first_day, event_id, bookings, cancelled, seats)
    select w.span_days, w.first_day, w.event_id, w.bookings, w.cancelled, w.seats
      from wrong w where w.event_id is not null
    on conflict (span_days, first_day, event_id) do update
      set bookings = excluded.bookings, cancelled = excluded.cancelled, seats = excluded.seats)
  select count(*) into v_wrong from wrong;
  return v_wrong;
end $$;
