"""Defects of what is shown: maps, tags, counts, pages, times."""

from proof.mutants.mutant import Part, defect, tests

READS = (
    defect(
        "lapsed-hold-shown-as-held",
        "A seat whose hold has lapsed is shown as held until a worker comes.",
        "seats/functions.sql",
        "when p_status = 'held' and p_hold_expires_at <= p_at then",
        "when p_status = 'held' and p_hold_expires_at is null then",
        tests("api/test_holds.py::test_expiry_needs_no_worker"),
    ),
    defect(
        "lapsed-hold-counted-as-held",
        "A lapsed hold is counted among the held seats until a worker comes.",
        "events/functions.sql",
        "where h.event_id = e.event_id and h.status = 'active' and h.expires_at <= (select clock_timestamp())) o",
        "where h.event_id = e.event_id and h.status = 'active' and h.expires_at is null) o",
        tests("api/test_holds.py::test_expiry_needs_no_worker"),
    ),
    defect(
        "map-kept-for-ever",
        "A seat map is drawn once and never again.",
        "seats/maps.py",
        "if kept is None or kept.state != state:",
        "if kept is None:",
        tests("api/test_seats.py::test_a_seat_shows_what_is_so_now"),
        Part("history"),
    ),
    defect(
        "tag-forgets-lapsed-holds",
        "A map that changed because a hold lapsed has the tag of the one before, and is not sent.",
        "seats/model.py",
        'return f"{self.version}-{self.chart_version}-{self.lapsed_holds}',
        'return f"{self.version}-{self.chart_version}-0',
        tests("api/test_seats.py::test_an_unchanged_map_is_not_sent_again"),
    ),
    defect(
        "every-tag-matches",
        "Whatever tag a client has, it is told that nothing changed.",
        "http/etag.py",
        'return etag.removeprefix("W/").strip(\'"\') in _TAG.findall(candidates)',
        "return True",
        tests("http/test_etag.py::test_lists_that_do_not"),
    ),
    defect(
        "next-page-after-the-last",
        "The last page leads to an empty one.",
        "http/pagination.py",
        "if page.offset + page.limit < total:",
        "if page.offset + page.limit <= total:",
        tests("http/test_pagination.py::test_which_links_there_are"),
    ),
    defect(
        "oldest-bookings-first",
        "The newest booking is on the last page.",
        "bookings/queries.sql",
        "order by created_at desc, booking_id desc limit",
        "order by created_at, booking_id limit",
        tests("api/test_bookings.py::test_ones_bookings_are_listed_newest_first_and_paged"),
    ),
    defect(
        "drafts-counted",
        "The total of a list tells how many drafts there are.",
        "events/queries.sql",
        "where deleted_at is null and ($1 or status <> 'draft')",
        "where deleted_at is null and ($1 or status is not null)",
        tests("api/test_events.py::test_drafts_are_for_organisers_only"),
    ),
    defect(
        "hold-shown-as-active-too-long",
        "A hold whose time has passed is shown as active until a worker comes.",
        "holds/queries.sql",
        "case when status = 'active' and expires_at <= clock_timestamp() then 'expired' else status end as status",
        "status",
        tests("api/test_holds.py::test_expiry_needs_no_worker"),
    ),
)
