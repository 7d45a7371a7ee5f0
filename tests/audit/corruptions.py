"""One way, at least, to break each law, by SQL that no part of Overbookr would run."""

from dataclasses import dataclass

from tests.audit.house import GONE, QUEUE, SHOW, identifier


@dataclass(frozen=True)
class Corruption:
    """`breaks`: the laws that must notice, and no others. `after`: those still broken once what can be repaired is."""

    name: str
    statements: str
    breaks: frozenset[str]
    after: frozenset[str]


def _one(name: str, statements: str, breaks: str, after: str = "") -> Corruption:
    return Corruption(name, statements, frozenset(breaks.split()), frozenset(after.split()))


FIRST, SECOND, THIRD = (identifier(name) for name in ("first", "second", "third"))
KEPT, BRIEF = identifier("kept"), identifier("brief")
IDA, JON, KIM = (identifier(f"entry of {user}") for user in ("ida", "jon", "kim"))


def _second_booking_of(condition: str) -> str:
    """Another booking, made and cancelled, of the same hold or entry, user and seats, with all that belongs to it."""
    return f"""
        insert into bookings (booking_id, event_id, user_id, hold_id, entry_id, seat_nos, seats_count, status,
                              idempotency_key, created_at, updated_at, cancelled_at)
        select '{identifier("clone")}', event_id, user_id, hold_id, entry_id, seat_nos, seats_count, 'cancelled',
               idempotency_key || ' again', created_at, now(), now() from bookings where {condition};
        insert into booking_seats select event_id, booking_id, unnest(seat_nos), now()
          from bookings where booking_id = '{identifier("clone")}';
        insert into mails (booking_id, event_id, kind, next_attempt_at, created_at, sent_at)
        select booking_id, event_id, k, now(), now(), now() from bookings, unnest(array['booking_cancelled',
               case when hold_id is null then 'waitlist_promoted' else 'booking_confirmed' end]) k
         where booking_id = '{identifier("clone")}'"""


_SOLD_TWICE = "no_double_sale booked_seats_match_live_bookings booking_is_whole booked_count_is_true"

CORRUPTIONS = [
    _one(
        "a seat is sold twice",
        f"""drop index one_live_booking_per_seat;
        insert into booking_seats (event_id, booking_id, seat_no) values ('{SHOW}', '{SECOND}', 'A3')""",
        _SOLD_TWICE,
        _SOLD_TWICE,
    ),
    _one(
        "a booked seat names another booking, and so does its history",
        f"""update seats set booking_id = '{SECOND}' where event_id = '{SHOW}' and seat_no = 'A3';
        update seat_changes set booking_id = '{SECOND}'
         where event_id = '{SHOW}' and seat_no = 'A3' and to_status = 'booked'""",
        "booked_seats_match_live_bookings",
    ),
    _one(
        "a held seat is held for longer than its hold",
        f"""update seats set hold_expires_at = hold_expires_at + interval '1 minute'
             where event_id = '{SHOW}' and seat_no = 'A1'""",
        "held_seats_match_active_holds",
    ),
    _one(
        "a held seat is booked as well",
        f"""alter table seats drop constraint seat_state_has_its_shape;
        update seats set booking_id = '{FIRST}' where event_id = '{SHOW}' and seat_no = 'A1'""",
        "seat_state_has_its_shape",
    ),
    _one(
        "a seat is in a state that nobody knows",
        f"""alter table seats drop constraint seat_state_has_its_shape;
        update seats set status = 'reserved' where event_id = '{SHOW}' and seat_no = 'A8'""",
        "seat_state_has_its_shape history_ends_at_present",
    ),
    _one(
        "seats_count too high",
        f"update events set seats_count = seats_count + 1 where event_id = '{SHOW}'",
        "seats_count_is_true",
    ),
    _one(
        "held_count too low",
        f"update events set held_count = held_count - 1 where event_id = '{SHOW}'",
        "held_count_is_true",
    ),
    _one(
        "booked_count too low",
        f"update events set booked_count = booked_count - 1 where event_id = '{SHOW}'",
        "booked_count_is_true",
    ),
    _one(
        "waiting_count too high",
        f"update events set waiting_count = waiting_count + 1 where event_id = '{QUEUE}'",
        "waiting_count_is_true",
    ),
    _one(
        "the capacity is below what is taken",
        f"""alter table events drop constraint never_taken_beyond_capacity;
        update events set capacity = 3 where event_id = '{SHOW}'""",
        "never_taken_beyond_room",
        "never_taken_beyond_room",
    ),
    _one(
        "a cancelled booking has lost a seat",
        f"delete from booking_seats where booking_id = '{THIRD}'",
        "booking_is_whole",
        "booking_is_whole",
    ),
    _one(
        "an active booking has lost a seat",
        f"delete from booking_seats where booking_id = '{FIRST}' and seat_no = 'A3'",
        "booking_is_whole booked_seats_match_live_bookings booked_count_is_true",
        "booking_is_whole booked_seats_match_live_bookings booked_count_is_true",
    ),
    _one(
        "a cancelled booking keeps its seat",
        f"update booking_seats set released_at = null where booking_id = '{THIRD}'",
        "booking_is_whole",
    ),
    _one(
        "a hold that was booked says it was released",
        f"update holds set status = 'released' where hold_id = '{identifier('hold of first')}'",
        "hold_becomes_one_booking",
    ),
    _one(
        "a booked hold is active again, and its seats are held",
        f"""update holds set status = 'active', ended_at = null where hold_id = '{identifier("hold of first")}';
        update seats set status = 'held', booking_id = null, hold_id = '{identifier("hold of first")}',
               hold_expires_at = (select expires_at from holds where hold_id = '{identifier("hold of first")}')
         where event_id = '{SHOW}' and seat_no in ('A3', 'A4')""",
        "hold_becomes_one_booking booked_seats_match_live_bookings booked_count_is_true held_count_is_true"
        " history_ends_at_present user_within_share",
    ),
    _one(
        "a hold is converted to nothing",
        f"update holds set status = 'converted', ended_at = now() where hold_id = '{KEPT}'",
        "hold_becomes_one_booking held_seats_match_active_holds held_count_is_true",
        "hold_becomes_one_booking",
    ),
    _one(
        "a key made two bookings",
        f"""alter table bookings drop constraint one_booking_per_idempotency_key;
        update bookings set idempotency_key = 'first' where booking_id = '{SECOND}'""",
        "idempotency_key_has_one_effect",
        "idempotency_key_has_one_effect",
    ),
    _one(
        "a promotion served another user",
        f"update waitlist_entries set user_id = '{identifier('lee')}' where entry_id = '{JON}'",
        "promotion_makes_one_booking",
        "promotion_makes_one_booking",
    ),
    _one(
        "an entry waits although it was served",
        f"update waitlist_entries set status = 'waiting' where entry_id = '{JON}'",
        "promotion_makes_one_booking waiting_count_is_true",
    ),
    _one(
        "an entry is promoted to nothing",
        f"update waitlist_entries set status = 'promoted' where entry_id = '{KIM}'",
        "promotion_makes_one_booking waiting_count_is_true",
        "promotion_makes_one_booking",
    ),
    _one(
        "a booking was made at the instant its hold ended",
        f"""update holds h set expires_at = b.created_at from bookings b
             where b.hold_id = h.hold_id and b.booking_id = '{FIRST}'""",
        "booking_made_in_time",
        "booking_made_in_time",
    ),
    _one(
        "a hold expired before its time",
        f"update holds set ended_at = expires_at - interval '1 microsecond' where hold_id = '{BRIEF}'",
        "hold_ends_as_it_says",
        "hold_ends_as_it_says",
    ),
    _one(
        "the event is a version ahead of its changes",
        f"update events set version = version + 1 where event_id = '{SHOW}'",
        "versions_run_without_gap",
        "versions_run_without_gap",
    ),
    _one(
        "the event is a version behind its changes",
        f"update events set version = version - 1 where event_id = '{SHOW}'",
        "versions_run_without_gap",
    ),
    _one(
        "two changes have one number and one number has none",
        f"""alter table seat_changes drop constraint seat_changes_pkey;
        update seat_changes set version = 1 where event_id = '{SHOW}' and version = 2""",
        "versions_run_without_gap",
        "versions_run_without_gap",
    ),
    _one(
        "a seat came into being in somebody's hold",
        f"""update seat_changes set hold_id = '{KEPT}'
             where event_id = '{SHOW}' and seat_no = 'A8' and from_status is null""",
        "changes_are_legal",
        "changes_are_legal",
    ),
    _one(
        "a seat went from blocked to booked",
        f"""alter table seat_changes drop constraint change_is_legal;
        update seat_changes set from_status = 'blocked'
         where event_id = '{SHOW}' and seat_no = 'A5' and to_status = 'booked'""",
        "changes_are_legal changes_follow_each_other",
        "changes_are_legal changes_follow_each_other",
    ),
    _one(
        "a seat was booked out of another hold than it was in",
        f"""update seat_changes set hold_id = '{KEPT}'
             where event_id = '{SHOW}' and seat_no = 'A5' and from_status = 'held' and to_status = 'booked'""",
        "changes_follow_each_other",
        "changes_follow_each_other",
    ),
    _one(
        "a seat was blocked in silence",
        f"""update seats set status = 'blocked' where event_id = '{SHOW}' and seat_no = 'A8';
        update events set seats_count = seats_count - 1 where event_id = '{SHOW}'""",
        "history_ends_at_present",
    ),
    _one(
        "a free seat is gone without a trace",
        f"""delete from seats where event_id = '{SHOW}' and seat_no = 'A8';
        update events set seats_count = seats_count - 1 where event_id = '{SHOW}'""",
        "history_ends_at_present",
    ),
    _one(
        "somebody has more than the share",
        f"update holds set user_id = '{identifier('bob')}' where hold_id = '{KEPT}'",
        "user_within_share",
        "user_within_share",
    ),
    _one(
        "somebody waits twice",
        f"""drop index one_waiting_entry_per_user;
        update waitlist_entries set user_id = '{identifier("ida")}' where entry_id = '{KIM}'""",
        "one_place_in_the_queue",
        "one_place_in_the_queue",
    ),
    _one(
        "a ticket was never drawn",
        f"update events set waitlist_tickets = 1 where event_id = '{QUEUE}'",
        "tickets_are_drawn_once",
    ),
    _one(
        "a ticket was drawn twice",
        f"""alter table waitlist_entries drop constraint one_entry_per_ticket;
        update waitlist_entries set ticket = 1 where entry_id = '{KIM}'""",
        "tickets_are_drawn_once",
        "tickets_are_drawn_once",
    ),
    _one(
        "somebody who wanted no more was passed over",
        f"update waitlist_entries set requested_seats = 1 where entry_id = '{IDA}'",
        "promotions_in_order",
        "promotions_in_order",
    ),
    _one(
        "a booking has no mail",
        f"delete from mails where booking_id = '{FIRST}'",
        "booking_has_its_mail",
    ),
    _one(
        "a cancellation has no mail",
        f"delete from mails where booking_id = '{THIRD}' and kind = 'booking_cancelled'",
        "booking_has_its_mail",
    ),
    _one(
        "a mail tells of a cancellation that was not",
        f"""insert into mails (booking_id, event_id, kind, next_attempt_at, created_at)
            values ('{FIRST}', '{SHOW}', 'booking_cancelled', now(), now())""",
        "mail_has_its_booking",
        "mail_has_its_booking",
    ),
    _one(
        "a deleted event has bookings",
        f"update events set deleted_at = now() where event_id = '{QUEUE}'",
        "deleted_event_is_empty",
        "deleted_event_is_empty",
    ),
    _one(
        "a hold is overdue",
        f"""update holds set created_at = now() - interval '1 hour', expires_at = now() - interval '10 seconds'
             where hold_id = '{KEPT}';
        update seats set hold_expires_at = now() - interval '10 seconds' where hold_id = '{KEPT}'""",
        "quiescent_overdue_hold",
        "quiescent_overdue_hold",
    ),
    _one(
        "seats are free and somebody waits for them",
        f"update events set capacity = 6 where event_id = '{QUEUE}'",
        "quiescent_waiter_left_unserved",
        "quiescent_waiter_left_unserved",
    ),
    _one(
        "the head of a strict queue waits for seats that are free",
        f"update events set capacity = 6, waitlist_policy = 'strict' where event_id = '{QUEUE}'",
        "quiescent_waiter_left_unserved",
        "quiescent_waiter_left_unserved",
    ),
    _one(
        "a mail has not gone out",
        f"update mails set created_at = now() - interval '2 minutes', sent_at = null where booking_id = '{FIRST}'",
        "quiescent_unsent_mail",
        "quiescent_unsent_mail",
    ),
    _one(
        "a deleted event has a held seat",
        f"""update seats set status = 'held', hold_id = '{KEPT}', hold_expires_at = now()
             where event_id = '{GONE}' and seat_no = 'A1'""",
        "held_seats_match_active_holds held_count_is_true history_ends_at_present",
    ),
    _one(
        "a seat was freed from another booking than it was in",
        f"""update seat_changes set booking_id = '{SECOND}'
             where event_id = '{SHOW}' and seat_no = 'A5' and from_status = 'booked'""",
        "changes_follow_each_other",
        "changes_follow_each_other",
    ),
    _one(
        "the history of a booked seat ends with another booking",
        f"""update seat_changes set booking_id = '{SECOND}'
             where event_id = '{SHOW}' and seat_no = 'A3' and to_status = 'booked'""",
        "history_ends_at_present",
    ),
    _one(
        "the history of a held seat ends with another hold",
        f"""update seat_changes set hold_id = '{identifier("ghost")}'
             where event_id = '{SHOW}' and seat_no = 'A1' and to_status = 'held'""",
        "history_ends_at_present",
    ),
    _one(
        "a key made two holds",
        f"""drop index one_hold_per_idempotency_key;
        update holds set idempotency_key = 'twice' where hold_id in ('{BRIEF}', '{identifier("regretted")}')""",
        "idempotency_key_has_one_effect",
        "idempotency_key_has_one_effect",
    ),
    _one(
        "a booking was made without a key",
        f"""alter table bookings drop constraint booking_by_hold_has_a_key;
        update bookings set idempotency_key = null where booking_id = '{FIRST}'""",
        "idempotency_key_has_one_effect",
        "idempotency_key_has_one_effect",
    ),
    _one(
        "a booking lists a seat that it does not have",
        f"""update bookings set seat_nos = '{{A3,A8}}' where booking_id = '{FIRST}';
        update holds set seat_nos = '{{A3,A8}}' where hold_id = '{identifier("hold of first")}'""",
        "booking_is_whole",
        "booking_is_whole",
    ),
    _one(
        "a booking is of another user than its hold",
        f"update bookings set user_id = '{identifier('lee')}' where booking_id = '{FIRST}'",
        "hold_becomes_one_booking",
        "hold_becomes_one_booking",
    ),
    _one(
        "a hold became two bookings",
        "alter table bookings drop constraint one_booking_per_hold;" + _second_booking_of(f"booking_id = '{FIRST}'"),
        "hold_becomes_one_booking",
        "hold_becomes_one_booking",
    ),
    _one(
        "an entry was served twice",
        "drop index one_booking_per_waitlist_entry;" + _second_booking_of(f"entry_id = '{JON}'"),
        "promotion_makes_one_booking",
        "promotion_makes_one_booking",
    ),
    _one(
        "a hold lists a seat that there is not",
        f"update holds set seat_nos = '{{A1,A2,A99}}' where hold_id = '{KEPT}'",
        "held_seats_match_active_holds held_count_is_true",
    ),
    _one(
        "a hold was released after its time",
        f"update holds set ended_at = expires_at where hold_id = '{identifier('regretted')}'",
        "hold_ends_as_it_says",
        "hold_ends_as_it_says",
    ),
    _one(
        "a span counts a sale too many",
        f"update sales_spans set bookings = bookings + 1 where span_days = 64 and event_id = '{SHOW}'",
        "sales_are_counted",
    ),
    _one("a day has forgotten its sales", "delete from sales_days", "sales_are_counted"),
    _one("a sale was never pending", f"delete from sales_pending where event_id = '{QUEUE}'", "sales_are_counted"),
    _one(
        "sales are counted of an event that sold nothing",
        f"insert into sales_spans select 8, first_day, '{GONE}', 1, 1, 0 from sales_spans where span_days = 8 limit 1",
        "sales_are_counted",
    ),
]
