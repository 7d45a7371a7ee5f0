from __future__ import annotations

import copy
from pathlib import Path

import pytest

from overbookr.database.sql import BadQueryFile, UnknownQuery, load_queries, load_text, parse_queries

GOOD = """-- What this file is about.

-- name: find_event
-- One event by id.
select id, name -- the name as typed
from events
where id = $1;

-- Something about the next one.
-- name: count_events
select count(*) from events
"""


def test_statements_come_without_their_heading_and_semicolon() -> None:
    queries = parse_queries(GOOD, "somewhere.sql")
    assert queries.find_event == "select id, name -- the name as typed\nfrom events\nwhere id = $1"
    assert queries["count_events"] == "select count(*) from events"
    assert sorted(queries) == ["count_events", "find_event"]
    assert "find_event" in queries
    assert "nothing" not in queries
    assert copy.copy(queries) == queries


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    queries = parse_queries(GOOD, "somewhere.sql")
    with pytest.raises(
        UnknownQuery, match=r"^somewhere.sql has no query named 'find_evnt'; it has: count_events, find"
    ):
        _ = queries.find_evnt
    with pytest.raises(KeyError):
        _ = queries["find_evnt"]
    assert not hasattr(queries, "find_evnt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- name: one\nselect 1;\n-- name: one\nselect 2;", r"x.sql:3: the query 'one' is defined twice"),
        ("select 1;\n-- name: one\nselect 1;", r"x.sql:1: a statement before the first"),
        ("-- name: one\n-- only a comment\n-- name: two\nselect 1", r"'one' is empty"),
        ("-- name: one\n;", r"'one' is empty"),
        ("-- name: One\nselect 1", r"x.sql:1: 'One' is no usable query name"),
        ("-- name: items\nselect 1", r"'items' is no usable query name"),
        ("-- name:\nselect 1", r"'' is no usable query name"),
    ],
)
def test_a_bad_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadQueryFile, match=message):
        parse_queries(text, "x.sql")


def test_files_are_read_from_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "a_room"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "queries.sql").write_text(GOOD)
    (package / "other.sql").write_text("-- name: umlaut\nselect 'ü'")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_queries("a_room").count_events == "select count(*) from events"
    assert load_queries("a_room", "other.sql").umlaut == "select 'ü'"
    assert load_text("a_room", "queries.sql") == GOOD
    with pytest.raises(BadQueryFile, match=r"no SQL file missing.sql in package a_room"):
        load_queries("a_room", "missing.sql")
    with pytest.raises(BadQueryFile, match="no_such_package"):
        load_text("no_such_package", "queries.sql")


def test_our_own_file_is_good() -> None:
    assert len(load_queries("overbookr.database")) > 5
