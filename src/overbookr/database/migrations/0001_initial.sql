-- migrate:up

-- Every table of an event carries event_id in its primary key and in every unique constraint, so that the
-- same schema can be distributed by event. Constraints are named after the law they guard; the functions
-- never rely on them, and the tests show that they hold without the functions.
--
-- Of the indexes of a table only one begins with event_id wherever a hot statement looks up single rows: before
-- the first ANALYZE the planner takes any index that begins with it for good enough, and reads the whole event.
set local lock_timeout = '5s';

create table users (
  user_id uuid not null,
  name text not null,
  email text not null,
  role text not null default 'user',
  password_hash text not null,
  token_version integer not null default 1,          -- raised by logout, password and role changes: older tokens die
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint users_pkey primary key (user_id),
  constraint one_user_per_email unique (email),
  constraint email_is_lower_case check (email = lower(email) and email <> ''),
  constraint role_is_known check (role in ('user', 'admin'))
);

-- A refresh token is stored as its hash only. Using one twice kills its whole family.
create table refresh_tokens (
  token_hash bytea not null,
  family_id uuid not null,
  user_id uuid not null references users (user_id) on delete cascade,
  issued_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz,
  constraint refresh_tokens_pkey primary key (token_hash)
);
create index refresh_tokens_by_family on refresh_tokens (family_id);
create index refresh_tokens_by_user on refresh_tokens (user_id);

create table events (
  event_id uuid not null,
  name text not null,
  venue text not null,
  start_time timestamptz not null,
  status text not null default 'on_sale',
  capacity integer,                                   -- an explicit cap; null: every seat that is not blocked
  seats_count integer not null default 0,             -- seats that are not blocked
  held_count integer not null default 0,              -- seats of active holds, overdue ones included until settled
  booked_count integer not null default 0,            -- seats of active bookings
  waiting_count integer not null default 0,           -- waitlist entries that wait
  waitlist_tickets bigint not null default 0,         -- the last number drawn in the queue
  version bigint not null default 0,                  -- the last seat change
  chart_version integer not null default 0,           -- the last seating plan; 0: none
  waitlist_mode text not null default 'auto',
  waitlist_policy text not null default 'first_fit',
  sales_open_at timestamptz,
  sales_close_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz,
  constraint events_pkey primary key (event_id),
  constraint event_status_is_known check (status in ('draft', 'on_sale', 'paused', 'closed', 'cancelled')),
  constraint waitlist_mode_is_known check (waitlist_mode in ('auto', 'offer')),
  constraint waitlist_policy_is_known check (waitlist_policy in ('first_fit', 'strict')),
  constraint name_and_venue_are_not_empty check (name <> '' and venue <> ''),
  constraint metadata_is_an_object check (jsonb_typeof(metadata) = 'object'),
  constraint sale_opens_before_it_closes check (sales_open_at < sales_close_at),
  constraint counts_are_never_negative
    check (seats_count >= 0 and held_count >= 0 and booked_count >= 0 and waiting_count >= 0),
  constraint capacity_is_positive check (capacity > 0),
  constraint never_taken_beyond_seats check (booked_count + held_count <= seats_count),
  constraint never_taken_beyond_capacity check (booked_count + held_count <= capacity)
) with (fillfactor = 50);                             -- a hot row: room on its page keeps its updates in place
create index events_by_start on events (start_time);
create index events_with_waiters on events (event_id) where waiting_count > 0;

-- One immutable document a seating plan; seats carry what the rules need of it.
create table charts (
  event_id uuid not null references events (event_id),
  chart_version integer not null,
  document text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint charts_pkey primary key (event_id, chart_version)
);

create table seats (
  event_id uuid not null references events (event_id),
  seat_no text not null,                              -- the label, which is also the seat's identity
  seat_id uuid not null,
  status text not null default 'available',
  hold_id uuid,
  hold_expires_at timestamptz,
  booking_id uuid,
  sort_key text collate "C" not null,                 -- natural order: S2 before S10
  ordinal integer not null,                           -- consecutive numbers are neighbours in one row
  section text,
  row_label text,
  category text,
  seat_guid text,
  block_reason text,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint seats_pkey primary key (event_id, seat_no),
  constraint one_seat_per_id unique (seat_id, event_id),
  constraint seat_label_is_sound check (seat_no = btrim(seat_no) and char_length(seat_no) between 1 and 64),
  constraint seat_state_has_its_shape check (
    case status
      when 'available' then hold_id is null and hold_expires_at is null and booking_id is null
      when 'held' then hold_id is not null and hold_expires_at is not null and booking_id is null
      when 'booked' then hold_id is null and hold_expires_at is null and booking_id is not null
      when 'blocked' then hold_id is null and hold_expires_at is null and booking_id is null
      else false
    end)
) with (fillfactor = 70);                             -- no index on a changing column: updates stay in place

create table holds (
  hold_id uuid not null,                              -- also the token; of use only to its user
  event_id uuid not null references events (event_id),
  user_id uuid not null,
  seat_nos text[] not null,
  status text not null default 'active',
  idempotency_key text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  constraint holds_pkey primary key (hold_id, event_id),
  constraint hold_status_is_known check (status in ('active', 'converted', 'released', 'expired')),
  constraint hold_ends_once check ((status = 'active') = (ended_at is null)),
  constraint hold_has_seats check (cardinality(seat_nos) > 0),
  constraint hold_expires_after_it_starts check (expires_at > created_at)
) with (fillfactor = 80);
create index active_holds_by_expiry on holds (expires_at, event_id) where status = 'active';
-- The second condition always holds; it keeps the index to the statement that states it too.
create index active_holds_by_user on holds (user_id, event_id) where status = 'active' and expires_at > created_at;
create unique index one_hold_per_idempotency_key on holds (user_id, event_id, idempotency_key)
  where idempotency_key is not null;

create table waitlist_entries (
  entry_id uuid not null,
  event_id uuid not null references events (event_id),
  user_id uuid not null,
  requested_seats integer not null,
  status text not null default 'waiting',
  ticket bigint not null,                             -- the number drawn at joining; the order of the queue
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint waitlist_entries_pkey primary key (entry_id, event_id),
  constraint one_entry_per_ticket unique (event_id, ticket),
  constraint waitlist_status_is_known check (status in ('waiting', 'promoted', 'left')),
  constraint waiter_wants_seats check (requested_seats > 0)
);
-- Tickets begin at 1. The conditions beyond the status keep each of these to the statements that state them too.
create unique index one_waiting_entry_per_user on waitlist_entries (user_id, event_id)
  where status = 'waiting' and ticket > 0;
create index waiting_by_size on waitlist_entries (event_id, requested_seats, ticket)
  where status = 'waiting' and requested_seats > 0;

create table bookings (
  booking_id uuid not null,
  event_id uuid not null references events (event_id),
  user_id uuid not null,
  hold_id uuid,                                       -- what became this booking: a hold,
  entry_id uuid,                                      -- or a waitlist entry that was promoted
  seat_nos text[] not null,
  seats_count integer not null,
  status text not null default 'active',
  idempotency_key text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  cancelled_at timestamptz,
  constraint bookings_pkey primary key (booking_id, event_id),
  constraint one_booking_per_hold unique (hold_id, event_id),
  constraint one_booking_per_idempotency_key unique (user_id, event_id, idempotency_key),
  constraint booking_status_is_known check (status in ('active', 'cancelled')),
  constraint booking_has_one_origin check ((hold_id is null) <> (entry_id is null)),
  constraint booking_by_hold_has_a_key check ((hold_id is null) = (idempotency_key is null)),
  constraint booking_counts_its_seats check (seats_count = cardinality(seat_nos) and seats_count > 0),
  constraint booking_is_cancelled_once check ((status = 'cancelled') = (cancelled_at is not null)),
  constraint booking_converts_a_real_hold foreign key (hold_id, event_id) references holds (hold_id, event_id),
  constraint booking_serves_a_real_entry
    foreign key (entry_id, event_id) references waitlist_entries (entry_id, event_id)
) with (fillfactor = 90);
create unique index one_booking_per_waitlist_entry on bookings (entry_id, event_id) where entry_id is not null;
create index bookings_by_time on bookings using brin (created_at);

create table booking_seats (
  event_id uuid not null,
  booking_id uuid not null,
  seat_no text not null,
  released_at timestamptz,
  constraint booking_seats_pkey primary key (booking_id, seat_no, event_id),
  constraint seat_belongs_to_a_real_booking
    foreign key (booking_id, event_id) references bookings (booking_id, event_id)
);
create unique index one_live_booking_per_seat on booking_seats (seat_no, event_id) where released_at is null;

-- The feed: every transition of every seat, numbered without gaps per event under the event's lock. It is the
-- audit trail, what readers tail, and the history a checker reads. A null from_status is a seat that came into
-- being, a null to_status one that was taken out of the plan.
create table seat_changes (
  event_id uuid not null,
  version bigint not null,
  seat_no text not null,
  from_status text,
  to_status text,
  hold_id uuid,
  booking_id uuid,
  at timestamptz not null,
  constraint seat_changes_pkey primary key (event_id, version),
  constraint change_is_legal check (
    (coalesce(from_status, 'none') || '>' || coalesce(to_status, 'none')) in (
      'none>available', 'available>none', 'blocked>none',
      'available>held', 'held>available', 'held>booked', 'booked>available', 'available>booked',
      'available>blocked', 'blocked>available'))
);

-- The outbox: a mail is owed from the moment its booking commits. At most one of a kind per booking.
create table mails (
  booking_id uuid not null,
  event_id uuid not null,
  kind text not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  created_at timestamptz not null,
  sent_at timestamptz,
  failed_at timestamptz,
  last_error text,
  constraint mails_pkey primary key (booking_id, kind, event_id),
  constraint mail_kind_is_known check (kind in ('booking_confirmed', 'waitlist_promoted', 'booking_cancelled')),
  constraint mail_ends_once check (sent_at is null or failed_at is null)
);
create index mails_due on mails (next_attempt_at) where sent_at is null and failed_at is null;

-- A sold or held seat cannot be taken out of the plan, whoever asks.
create function refuse_seat_removal() returns trigger language plpgsql as $$
begin
  raise exception 'seat % of event % is %', old.seat_no, old.event_id, old.status
    using errcode = 'restrict_violation', constraint = 'taken_seat_is_never_removed';
end $$;
create trigger taken_seat_is_never_removed before delete on seats
  for each row when (old.status in ('held', 'booked')) execute function refuse_seat_removal();
