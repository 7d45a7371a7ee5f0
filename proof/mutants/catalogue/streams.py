"""Defects of streams: what viewers are told, who is let go, and when streams end."""

from proof.mutants.mutant import defect, tests

STREAMS = (
    defect(
        "lapse-not-told",
        "Viewers are not told that a hold has lapsed, which changes no version.",
        "maps/streams.py",
        "changed = board.changed_since(since.version, place.lapses)",
        "changed = board.changed_since(since.version, board.lapses)",
        tests("maps/test_streams.py::test_a_hold_that_lapses_is_told"),
    ),
    defect(
        "another-boards-count",
        "How many holds had lapsed on a board is held against one that was read anew since.",
        "maps/streams.py",
        "            place = Place(None, place.since, None)\n",
        "            place = Place(board, place.since, place.lapses)\n",
        tests("maps/test_streams.py::test_lapses_of_a_board_that_was_read_anew_are_told"),
    ),
    defect(
        "resumed-one-too-late",
        "Whoever comes back misses the first change that happened meanwhile.",
        "maps/streams.py",
        "return Since(int(found[1]), None, None)",
        "return Since(int(found[1]) + 1, None, None)",
        tests("maps/test_streams.py::test_whoever_comes_back_is_told_only_what_was_missed"),
    ),
    defect(
        "gathering-told-seat-by-seat",
        "That all free seats are gathered for somebody, or no longer so, is not told.",
        "maps/streams.py",
        "return knows_chart and (since.kept == state.kept or (since.kept is None and not state.kept))",
        "return knows_chart",
        tests("maps/test_streams.py::test_every_viewer_has_the_map_as_it_is"),
    ),
    defect(
        "told-more-than-was-written",
        "A viewer who gets what was written a moment ago is taken to know what happened since.",
        "maps/streams.py",
        "        return written\n",
        "        state = board.state\n"
        "        since = Since(state.version, state.chart_version, state.kept)\n"
        "        return written[0], Place(board, since, board.lapses)\n",
        tests("maps/test_streams.py::test_every_viewer_has_the_map_as_it_is"),
    ),
    defect(
        "deaf-viewer-kept",
        "One who takes nothing any more is waited for as long as the stream could last.",
        "maps/streams.py",
        "asyncio.timeout(limits.STREAM_SLOW_SECONDS)",
        "asyncio.timeout(None)",
        tests("maps/test_streams.py::test_one_who_does_not_listen_delays_nobody_and_is_let_go"),
    ),
    defect(
        "streams-outlast-their-process",
        "A process that is told to stop waits for its viewers.",
        "main.py",
        "        app.state.streams.end_all()\n",
        "",
        tests("maps/test_watching.py::test_a_process_that_stops_ends_its_streams"),
    ),
    defect(
        "viewers-fill-the-room-of-buyers",
        "Those who watch take the places of those who buy.",
        "http/admission.py",
        'if path.endswith(("/stream", "/stream/")):',
        "if False:",
        tests("http/test_admission.py::test_what_a_request_is_shows_in_its_first_line"),
    ),
)
