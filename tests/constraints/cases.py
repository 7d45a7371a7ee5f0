"""At least one statement for each law that the schema itself guards, each illegal in that one way only."""

import json
from collections.abc import Iterator
from uuid import UUID

EVENT, OTHER_EVENT, NOWHERE = (UUID(int=number) for number in (0xE1, 0xE2, 0xEF))
USER, OTHER_USER = UUID(int=0xA1), UUID(int=0xA2)
HOLD, BOOKED_HOLD, SPARE_HOLD = (UUID(int=number) for number in (0xB1, 0xB2, 0xB3))
BOOKING, PROMOTION, CANCELLED = (UUID(int=number) for number in (0xC1, 0xC2, 0xC3))
ENTRY, PROMOTED_ENTRY = UUID(int=0xD1), UUID(int=0xD2)
AUDIT = UUID(int=0xF1)
NEW = UUID(int=0xFFFF)

# One row, at least, of everything, put there past all functions: A1 is held, A2 and A3 are booked, A5 is blocked.
FURNITURE = f"""
insert into users (user_id, name, email, password_hash) values ('{USER}', 'Ada', 'ada@example.org', 'none');
insert into refresh_tokens (token_hash, family_id, user_id, expires_at) values ('\\x01', '{NEW}', '{USER}', now());
insert into events (event_id, name, venue, start_time, seats_count, held_count, booked_count, waiting_count,
                    waitlist_tickets, version)
values ('{EVENT}', 'A show', 'A house', now(), 4, 1, 2, 1, 2, 1),
       ('{OTHER_EVENT}', 'Another', 'A house', now(), 0, 0, 0, 0, 0, 0);
insert into charts (event_id, chart_version, document) values ('{EVENT}', 1, '{{}}');
insert into holds (hold_id, event_id, user_id, seat_nos, status, idempotency_key, created_at, expires_at, ended_at)
values ('{HOLD}', '{EVENT}', '{USER}', '{{A1}}', 'active', 'key', now(), now() + interval '1 hour', null),
       ('{BOOKED_HOLD}', '{EVENT}', '{USER}', '{{A2}}', 'converted', null, now(), now() + interval '1 hour', now()),
       ('{SPARE_HOLD}', '{EVENT}', '{USER}', '{{A4}}', 'released', null, now(), now() + interval '1 hour', now());
insert into waitlist_entries (entry_id, event_id, user_id, requested_seats, status, ticket, created_at, updated_at)
values ('{ENTRY}', '{EVENT}', '{USER}', 2, 'waiting', 2, now(), now()),
       ('{PROMOTED_ENTRY}', '{EVENT}', '{OTHER_USER}', 1, 'promoted', 1, now(), now());
insert into bookings (booking_id, event_id, user_id, hold_id, entry_id, seat_nos, seats_count, status, idempotency_key,
                      created_at, updated_at, cancelled_at)
values ('{BOOKING}', '{EVENT}', '{USER}', '{BOOKED_HOLD}', null, '{{A2}}', 1, 'active', 'key', now(), now(), null),
       ('{PROMOTION}', '{EVENT}', '{OTHER_USER}', null, '{PROMOTED_ENTRY}', '{{A3}}', 1, 'active', null, now(), now(),
        null);
insert into booking_seats (event_id, booking_id, seat_no, released_at)
values ('{EVENT}', '{BOOKING}', 'A2', null), ('{EVENT}', '{PROMOTION}', 'A3', null);
insert into seats (event_id, seat_no, seat_id, status, hold_id, hold_expires_at, booking_id, sort_key, ordinal)
values ('{EVENT}', 'A1', '{UUID(int=1)}', 'held', '{HOLD}', now() + interval '1 hour', null, 'A1', 1),
       ('{EVENT}', 'A2', '{UUID(int=2)}', 'booked', null, null, '{BOOKING}', 'A2', 2),
       ('{EVENT}', 'A3', '{UUID(int=3)}', 'booked', null, null, '{PROMOTION}', 'A3', 3),
       ('{EVENT}', 'A4', '{UUID(int=4)}', 'available', null, null, null, 'A4', 4),
       ('{EVENT}', 'A5', '{UUID(int=5)}', 'blocked', null, null, null, 'A5', 5);
insert into seat_changes (event_id, version, seat_no, from_status, to_status, at)
values ('{EVENT}', 1, 'A4', null, 'available', now());
insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)
values ('{BOOKING}', '{EVENT}', 'booking_confirmed', now(), now());
insert into sales_spans (span_days, first_day, event_id, bookings, cancelled, seats)
values (8, '1970-01-09', '{EVENT}', 1, 0, 1), (1, '1970-01-10', '{OTHER_EVENT}', 1, 0, 1);
insert into sales_days (day, bookings, cancelled, seats) values ('1970-01-10', 1, 0, 1);
insert into audits (audit_id, first_at, last_at, times, seconds, population, counts, findings)
values ('{AUDIT}', now(), now(), 1, 0.1, '{{}}', '{{}}', '{{}}');
"""

KEYS = {
    "users": "user_id",
    "refresh_tokens": "token_hash",
    "events": "event_id",
    "charts": "event_id",
    "seats": "seat_no",
    "holds": "hold_id",
    "waitlist_entries": "entry_id",
    "bookings": "booking_id",
    "booking_seats": "seat_no",
    "seat_changes": "version",
    "mails": "booking_id",
    "sales_pending": "event_id",
    "sales_spans": "event_id",
    "sales_days": "day",
    "audits": "audit_id",
}


def copy(table: str, of: object, **changes: object) -> str:
    """Insert a row like the one that has `of` for its key, but for the changes."""
    changed = json.dumps({column: value if value is None else str(value) for column, value in changes.items()})
    row = f"(jsonb_populate_record(t, '{changed}')).*"
    return f"insert into {table} select {row} from {table} t where {KEYS[table]} = '{of}'"


def change(table: str, of: object, assignments: str) -> str:
    """Update the row that has `of` for its key."""
    return f"update {table} set {assignments} where {KEYS[table]} = '{of}'"


def cases() -> Iterator[tuple[str, str]]:
    """The law, and a statement that it must refuse."""
    yield from _of_users()
    yield from _of_events()
    yield from _of_seats()
    yield from _of_holds()
    yield from _of_the_waitlist()
    yield from _of_bookings()
    yield from _of_the_rest()


def _of_users() -> Iterator[tuple[str, str]]:
    yield "users_pkey", copy("users", USER, email="b@example.org")
    yield "one_user_per_email", copy("users", USER, user_id=NEW)
    yield "email_is_lower_case", change("users", USER, "email = 'Ada@example.org'")
    yield "email_is_lower_case", change("users", USER, "email = ''")
    yield "role_is_known", change("users", USER, "role = 'root'")
    yield "refresh_tokens_pkey", copy("refresh_tokens", "\\x01")
    yield "refresh_tokens_user_id_fkey", copy("refresh_tokens", "\\x01", token_hash="\\x02", user_id=NEW)


def _of_events() -> Iterator[tuple[str, str]]:
    yield "events_pkey", copy("events", EVENT)
    yield "event_status_is_known", change("events", EVENT, "status = 'sold'")
    yield "waitlist_mode_is_known", change("events", EVENT, "waitlist_mode = 'manual'")
    yield "waitlist_policy_is_known", change("events", EVENT, "waitlist_policy = 'lottery'")
    yield "name_and_venue_are_not_empty", change("events", EVENT, "name = ''")
    yield "name_and_venue_are_not_empty", change("events", EVENT, "venue = ''")
    yield "metadata_is_an_object", change("events", EVENT, "metadata = '[]'")
    yield "sale_opens_before_it_closes", change("events", EVENT, "sales_open_at = now(), sales_close_at = now()")
    for count in ("seats_count", "held_count", "booked_count", "waiting_count"):
        yield "counts_are_never_negative", change("events", OTHER_EVENT, f"{count} = -1")
    yield "capacity_is_positive", change("events", OTHER_EVENT, "capacity = 0")
    yield "never_taken_beyond_seats", change("events", EVENT, "held_count = 3")
    yield "never_taken_beyond_seats", change("events", EVENT, "booked_count = 4")
    yield "never_taken_beyond_seats", change("events", EVENT, "seats_count = 2")
    yield "never_taken_beyond_capacity", change("events", EVENT, "capacity = 2")
    yield "charts_pkey", copy("charts", EVENT)
    yield "charts_event_id_fkey", copy("charts", EVENT, event_id=NOWHERE)


def _of_seats() -> Iterator[tuple[str, str]]:
    yield "seats_pkey", copy("seats", "A4", seat_id=NEW)
    yield "one_seat_per_id", copy("seats", "A4", seat_no="A9")
    yield "seats_event_id_fkey", copy("seats", "A4", event_id=NOWHERE, seat_id=NEW)
    for label in ("", " A9", "A9 ", "A" * 65):
        yield "seat_label_is_sound", copy("seats", "A4", seat_id=NEW, seat_no=label)
    shape = "seat_state_has_its_shape"
    yield shape, change("seats", "A4", "status = 'reserved'")
    for seat_no in ("A4", "A5"):
        yield shape, change("seats", seat_no, f"hold_id = '{HOLD}'")
        yield shape, change("seats", seat_no, "hold_expires_at = now()")
        yield shape, change("seats", seat_no, f"booking_id = '{BOOKING}'")
    yield shape, change("seats", "A1", "hold_id = null")
    yield shape, change("seats", "A1", "hold_expires_at = null")
    yield shape, change("seats", "A1", f"booking_id = '{BOOKING}'")
    yield shape, change("seats", "A1", "status = 'available'")
    yield shape, change("seats", "A1", f"status = 'booked', booking_id = '{BOOKING}'")
    yield shape, change("seats", "A2", "booking_id = null")
    yield shape, change("seats", "A2", f"hold_id = '{HOLD}'")
    yield shape, change("seats", "A2", "hold_expires_at = now()")
    yield shape, change("seats", "A2", "status = 'blocked'")
    yield "taken_seat_is_never_removed", "delete from seats where seat_no = 'A1'"
    yield "taken_seat_is_never_removed", "delete from seats where seat_no = 'A2'"


def _of_holds() -> Iterator[tuple[str, str]]:
    yield "holds_pkey", copy("holds", HOLD, idempotency_key=None)
    yield "one_hold_per_idempotency_key", copy("holds", HOLD, hold_id=NEW)
    yield "holds_event_id_fkey", copy("holds", HOLD, event_id=NOWHERE)
    yield "hold_status_is_known", change("holds", SPARE_HOLD, "status = 'lost'")
    yield "hold_ends_once", change("holds", HOLD, "status = 'expired'")
    yield "hold_ends_once", change("holds", SPARE_HOLD, "status = 'active'")
    yield "hold_ends_once", change("holds", SPARE_HOLD, "ended_at = null")
    yield "hold_has_seats", change("holds", HOLD, "seat_nos = '{}'")
    yield "hold_expires_after_it_starts", change("holds", HOLD, "expires_at = created_at")


def _of_the_waitlist() -> Iterator[tuple[str, str]]:
    yield "waitlist_entries_pkey", copy("waitlist_entries", ENTRY, ticket=9, user_id=NEW)
    yield "one_entry_per_ticket", copy("waitlist_entries", ENTRY, entry_id=NEW, user_id=NEW)
    yield "one_waiting_entry_per_user", copy("waitlist_entries", ENTRY, entry_id=NEW, ticket=9)
    yield "waitlist_entries_event_id_fkey", copy("waitlist_entries", ENTRY, event_id=NOWHERE)
    yield "waitlist_status_is_known", change("waitlist_entries", ENTRY, "status = 'lost'")
    yield "waiter_wants_seats", change("waitlist_entries", ENTRY, "requested_seats = 0")


def _of_bookings() -> Iterator[tuple[str, str]]:
    yield "bookings_pkey", copy("bookings", BOOKING, hold_id=SPARE_HOLD, idempotency_key="new")
    yield "one_booking_per_hold", copy("bookings", BOOKING, booking_id=NEW, idempotency_key="new")
    yield "one_booking_per_idempotency_key", copy("bookings", BOOKING, booking_id=NEW, hold_id=SPARE_HOLD)
    yield "one_booking_per_waitlist_entry", copy("bookings", PROMOTION, booking_id=NEW)
    yield "booking_status_is_known", change("bookings", BOOKING, "status = 'lost'")
    yield "booking_has_one_origin", change("bookings", BOOKING, f"entry_id = '{ENTRY}'")
    yield "booking_has_one_origin", change("bookings", PROMOTION, "entry_id = null")
    yield "booking_by_hold_has_a_key", change("bookings", BOOKING, "idempotency_key = null")
    yield "booking_by_hold_has_a_key", change("bookings", PROMOTION, "idempotency_key = 'new'")
    yield "booking_counts_its_seats", change("bookings", BOOKING, "seats_count = 2")
    yield "booking_counts_its_seats", change("bookings", BOOKING, "seats_count = 0, seat_nos = '{}'")
    yield "booking_is_cancelled_once", change("bookings", BOOKING, "status = 'cancelled'")
    yield "booking_is_cancelled_once", change("bookings", BOOKING, "cancelled_at = now()")
    yield "bookings_event_id_fkey", copy("bookings", PROMOTION, event_id=NOWHERE)
    made_up = copy("bookings", BOOKING, booking_id=NEW, hold_id=NEW, idempotency_key="new")
    yield "booking_converts_a_real_hold", made_up
    elsewhere = copy(
        "bookings", BOOKING, booking_id=NEW, event_id=OTHER_EVENT, hold_id=SPARE_HOLD, idempotency_key="new"
    )
    yield "booking_converts_a_real_hold", elsewhere
    yield "booking_serves_a_real_entry", copy("bookings", PROMOTION, booking_id=NEW, entry_id=NEW)
    yield "booking_seats_pkey", copy("booking_seats", "A2", released_at="2030-01-01")
    yield "one_live_booking_per_seat", copy("booking_seats", "A2", booking_id=PROMOTION)
    yield "seat_belongs_to_a_real_booking", copy("booking_seats", "A2", booking_id=NEW, seat_no="A4")
    yield "seat_belongs_to_a_real_booking", copy("booking_seats", "A2", event_id=OTHER_EVENT)
    yield "seat_belongs_to_a_real_booking", "delete from bookings"
    yield "booking_converts_a_real_hold", f"delete from holds where hold_id = '{BOOKED_HOLD}'"
    yield "booking_serves_a_real_entry", f"delete from waitlist_entries where entry_id = '{PROMOTED_ENTRY}'"


def _of_the_rest() -> Iterator[tuple[str, str]]:
    yield "seat_changes_pkey", copy("seat_changes", 1)
    yield "change_is_legal", copy("seat_changes", 1, version=2, from_status="blocked", to_status="booked")
    yield "sales_spans_pkey", copy("sales_spans", EVENT)
    yield "span_has_a_known_length", copy("sales_spans", OTHER_EVENT, span_days=2)
    yield "span_starts_at_its_multiple", copy("sales_spans", EVENT, first_day="1970-01-10")
    yield "sales_days_pkey", copy("sales_days", "1970-01-10")
    yield "audits_pkey", copy("audits", AUDIT)
    yield "audits_follow_each_other", change("audits", AUDIT, "first_at = last_at + interval '1 s'")
    yield "audits_follow_each_other", change("audits", AUDIT, "times = 0")
    yield "mails_pkey", copy("mails", BOOKING)
    yield "mail_kind_is_known", change("mails", BOOKING, "kind = 'newsletter'")
    yield "mail_ends_once", change("mails", BOOKING, "sent_at = now(), failed_at = now()")
