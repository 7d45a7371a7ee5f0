-- The booking system as most would write it: plain tables, a lock on every seat row, a transaction a request. It is
-- kept lean on purpose, without foreign keys and with no index beyond what the statements need, so that the yardstick
-- is a hard one. Run as one script; :events and :seats are numbers that stage.py puts in.
create table events (
  id bigint primary key,
  name text not null,
  capacity integer not null,
  booked_count integer not null default 0,
  updated_at timestamptz not null default now()
) with (fillfactor = 50);

create table seats (
  id bigint primary key,
  event_id bigint not null,
  seat_no text not null,
  status text not null default 'available' check (status in ('available', 'held', 'booked')),
  hold_token uuid,
  hold_expires_at timestamptz,
  booking_id uuid,
  updated_at timestamptz not null default now(),
  unique (event_id, seat_no)
) with (fillfactor = 70);

create table seat_holds (
  hold_token uuid primary key,
  event_id bigint not null,
  user_id bigint not null,
  seat_nos text[] not null,
  status text not null default 'active',
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
) with (fillfactor = 80);

create table bookings (
  id uuid primary key,
  event_id bigint not null,
  user_id bigint not null,
  hold_token uuid not null unique,
  seats_count integer not null,
  status text not null default 'active',
  idempotency_key text not null,
  created_at timestamptz not null default now(),
  unique (user_id, idempotency_key)
);

create table booking_seats (
  booking_id uuid not null,
  seat_id bigint not null,
  primary key (booking_id, seat_id),
  unique (seat_id)
);

insert into events (id, name, capacity)
select n, 'Event ' || n, :seats / :events from generate_series(0, :events - 1) n;

-- Pair k, from 0, is the seats S(2k + 1) and S(2k + 2) of event k modulo :events.
insert into seats (id, event_id, seat_no)
select n, ((n - 1) / 2) % :events, 'S' || n from generate_series(1, :seats) n;
