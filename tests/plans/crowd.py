"""A database in which reading too much costs: one event of 20,000 seats, 1,000 small ones, 60,000 holds."""

from uuid import UUID

from overbookr.database.pool import Connection

BIG, QUEUED, TINY, SOLD, STRICT = (UUID(int=number) for number in (0xE1, 0xE2, 0xE3, 0xE4, 0xE5))
SEATS, SMALL_EVENTS, WAITERS = 20_000, 1_000, 2_000
# The seats of each of the two sold out houses, all of which went to people who had waited for them.
SOLD_SEATS = 5_000
OVERDUE = 5 * SMALL_EVENTS


def hold_id(number: int) -> UUID:
    """The hold on seat S<number> of the big event; also the id of its user."""
    return UUID(f"00000000-0000-4000-8000-{number:012d}")


def booking_id(number: int) -> UUID:
    """The booking of seat S<number> of the big event."""
    return UUID(f"00000000-0000-4000-9000-{number:012d}")


def sold_booking_id(event_id: UUID, number: int) -> UUID:
    """The booking of seat S<number> of a sold out house."""
    return UUID(f"00000000-0000-4000-a0{event_id.int:02x}-{number:012d}")


def waiter_id(event_id: UUID, number: int) -> UUID:
    """The user with this ticket of a sold out house; those above SOLD_SEATS still wait."""
    return UUID(f"00000000-0000-4000-b0{event_id.int:02x}-{number:012d}")


# Of the big event's seats, 1 to 5,000 are booked, 5,001 to 10,000 are held, the rest are free, and 10,001 to 20,000
# have been held before, by 2,000 people. The queue has 2,000 waiters who want ten, none of which is free.
EMPTY = f"""
do $$ declare t text; begin
  for t in select tablename from pg_tables where schemaname = 'public' loop
    execute format('alter table %I set (autovacuum_enabled = false)', t);
  end loop;
end $$;
insert into events (event_id, name, venue, start_time) values ('{TINY}', 'Tiny', 'A house', now() + interval '9 days');
"""
CROWD = f"""
set statement_timeout = 0;
set enable_nestloop = off;
insert into events (event_id, name, venue, start_time, seats_count, held_count, booked_count, waiting_count,
                    waitlist_tickets)
values ('{BIG}', 'Big', 'A house', now() + interval '9 days', {SEATS}, 5000, 5000, 0, 0),
       ('{QUEUED}', 'Queued', 'A house', now() + interval '9 days', 2000, 1, 1999, {WAITERS}, {WAITERS});
insert into events (event_id, name, venue, start_time, seats_count)
select gen_random_uuid(), 'Small', 'A house', now() + interval '9 days', 5 from generate_series(1, {SMALL_EVENTS});
insert into holds (hold_id, event_id, user_id, seat_nos, status, idempotency_key, created_at, expires_at, ended_at)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, '{BIG}',
       ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, array['S' || n],
       case when n <= 5000 then 'converted' else 'active' end, 'key', now(), now() + interval '1 hour',
       case when n <= 5000 then now() end
  from generate_series(1, 10000) n;
insert into holds (hold_id, event_id, user_id, seat_nos, status, created_at, expires_at, ended_at)
select gen_random_uuid(), '{BIG}', ('00000000-0000-4000-8000-' || lpad((n % 2000 + 1)::text, 12, '0'))::uuid,
       array['S' || (10000 + n % 10000)], 'expired', now() - interval '1 hour', now(), now()
  from generate_series(1, 40000) n;
insert into users (user_id, name, email, password_hash)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'Buyer', 'u' || n || '@example.org', 'none'
  from generate_series(1, 10000) n;
insert into bookings (booking_id, event_id, user_id, hold_id, seat_nos, seats_count, idempotency_key, created_at,
                      updated_at)
select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, '{BIG}', h.user_id, h.hold_id, h.seat_nos, 1,
       'key', now(), now()
  from generate_series(1, 5000) n
  join holds h on h.hold_id = ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
insert into booking_seats (event_id, booking_id, seat_no) select event_id, booking_id, seat_nos[1] from bookings;
insert into seats (event_id, seat_no, seat_id, status, hold_id, hold_expires_at, booking_id, sort_key, ordinal)
select '{BIG}', 'S' || n, gen_random_uuid(),
       case when n <= 5000 then 'booked' when n <= 10000 then 'held' else 'available' end,
       case when n between 5001 and 10000 then h.hold_id end, case when n between 5001 and 10000 then h.expires_at end,
       b.booking_id, n, n
  from generate_series(1, {SEATS}) n
  left join holds h on h.hold_id = ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
  left join bookings b on b.hold_id = h.hold_id;
insert into seats (event_id, seat_no, seat_id, sort_key, ordinal)
select e.event_id, 'S' || n, gen_random_uuid(), n, n from events e, generate_series(1, 5) n where e.name = 'Small';
insert into seats (event_id, seat_no, seat_id, status, booking_id, sort_key, ordinal)
select '{QUEUED}', 'S' || n, gen_random_uuid(), 'booked', gen_random_uuid(), n, n from generate_series(2, 2000) n;
insert into holds (hold_id, event_id, user_id, seat_nos, created_at, expires_at)
values ('{QUEUED}', '{QUEUED}', '{QUEUED}', array['S1'], now(), now() + interval '1 hour');
insert into seats (event_id, seat_no, seat_id, status, hold_id, hold_expires_at, sort_key, ordinal)
select '{QUEUED}', 'S1', gen_random_uuid(), 'held', h.hold_id, h.expires_at, 'S1', 1
  from holds h where h.event_id = '{QUEUED}';
insert into waitlist_entries (entry_id, event_id, user_id, requested_seats, ticket, created_at, updated_at)
select gen_random_uuid(), '{QUEUED}', gen_random_uuid(), 10, n, now(), now() from generate_series(1, {WAITERS}) n;
-- Other events have overdue holds, and nobody has tidied them up.
insert into holds (hold_id, event_id, user_id, seat_nos, created_at, expires_at)
select gen_random_uuid(), e.event_id, gen_random_uuid(), array['S' || n], now() - interval '1 hour',
       now() - interval '30 minutes'
  from events e, generate_series(1, 5) n where e.name = 'Small';
update seats s set status = 'held', hold_id = h.hold_id, hold_expires_at = h.expires_at
  from holds h
 where h.event_id = s.event_id and h.seat_nos[1] = s.seat_no and h.status = 'active' and s.status = 'available';
update events set held_count = 5 where name = 'Small';
"""

# Sold out twice over: each seat was booked, given back and booked again by who waited for it.
SOLD_OUT = f"""
insert into events (event_id, name, venue, start_time, waitlist_policy, seats_count, booked_count, waiting_count,
                    waitlist_tickets, version)
values ('{SOLD}', 'Sold out', 'A house', now() + interval '9 days', 'first_fit', {SOLD_SEATS}, {SOLD_SEATS}, {WAITERS},
        {SOLD_SEATS + WAITERS}, {4 * SOLD_SEATS}),
       ('{STRICT}', 'Sold out', 'A house', now() + interval '9 days', 'strict', {SOLD_SEATS}, {SOLD_SEATS}, {WAITERS},
        {SOLD_SEATS + WAITERS}, {4 * SOLD_SEATS});
insert into waitlist_entries (entry_id, event_id, user_id, requested_seats, status, ticket, created_at, updated_at)
select gen_random_uuid(), e.event_id,
       ('00000000-0000-4000-b0' || right(e.event_id::text, 2) || '-' || lpad(n::text, 12, '0'))::uuid,
       case when n <= {SOLD_SEATS} then 1 else 1 + n % 2 end,
       case when n <= {SOLD_SEATS} then 'promoted' else 'waiting' end, n, now(), now()
  from events e, generate_series(1, {SOLD_SEATS + WAITERS}) n where e.name = 'Sold out';
insert into bookings (booking_id, event_id, user_id, entry_id, seat_nos, seats_count, created_at, updated_at)
select ('00000000-0000-4000-a0' || right(w.event_id::text, 2) || '-' || lpad(w.ticket::text, 12, '0'))::uuid,
       w.event_id, w.user_id, w.entry_id, array['S' || w.ticket], 1, now(), now()
  from waitlist_entries w where w.status = 'promoted';
insert into booking_seats (event_id, booking_id, seat_no)
select event_id, booking_id, seat_nos[1] from bookings where entry_id is not null;
insert into seats (event_id, seat_no, seat_id, status, booking_id, sort_key, ordinal)
select event_id, seat_nos[1], gen_random_uuid(), 'booked', booking_id, seat_nos[1], substr(seat_nos[1], 2)::integer
  from bookings where entry_id is not null;
insert into seat_changes (event_id, version, seat_no, from_status, to_status, at)
select e.event_id, n, 'S' || 1 + n % {SOLD_SEATS}, case n % 2 when 0 then 'available' else 'booked' end,
       case n % 2 when 0 then 'booked' else 'available' end, now()
  from events e, generate_series(1, {4 * SOLD_SEATS}) n where e.name = 'Sold out';
"""

# Counted since the server last gathered them, so only differences inside one transaction mean something.
READS = """
select c.relname as name, c.relkind = 'i' as is_index, pg_stat_get_xact_numscans(c.oid) as scans,
       pg_stat_get_xact_tuples_returned(c.oid) as returned
  from pg_class c
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i')
"""


async def count_reads(connection: Connection) -> dict[str, tuple[bool, int, int]]:
    """By table: whole scans and rows of those. By index: scans, and entries that they returned."""
    return {row["name"]: (row["is_index"], row["scans"], row["returned"]) for row in await connection.fetch(READS)}
