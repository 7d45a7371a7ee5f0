"""Seating plans that are refused: every mistake is named by its place, and no file whatever raises."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overbookr.seats.plan import ERRORS_MAX, SEATS_MAX, PlanRefused, SeatingPlan, chart_document, parse_plan

Edit = Callable[[dict[str, Any]], object]


def sound_plan() -> dict[str, Any]:
    """Two zones of two rows of three seats, and an area of each shape."""
    shapes: dict[str, Any] = {
        "circle": {"radius": 5},
        "ellipse": {"radius": {"x": 5, "y": 6}},
        "rectangle": {"width": 5, "height": 6},
        "polygon": {"points": [{"x": 0, "y": 0}, {"x": 5, "y": 0}, {"x": 5, "y": 5}]},
        "text": {"text": "Bar", "position": {"x": 0, "y": 0}, "color": "#333333", "size": 16},
    }
    areas = [
        {
            "shape": shape,
            "color": "#ccc",
            "border_color": "navy",
            "rotation": 0,
            "position": {"x": 1, "y": 2},
            shape: member,
        }
        for shape, member in shapes.items()
    ]
    return {
        "name": "House",
        "categories": [{"name": "Gold", "color": "#aa8800"}, {"name": "Silver", "color": "silver"}],
        "size": {"width": 500, "height": 300},
        "zones": [
            {
                "name": zone,
                "position": {"x": 0, "y": 0},
                "areas": areas if zone == "Block A" else [],
                "rows": [
                    {
                        "row_number": row,
                        "position": {"x": 0, "y": 40},
                        "seats": [
                            {
                                "seat_number": seat,
                                "seat_guid": f"{zone}/{row}/{seat}",
                                "position": {"x": 25, "y": 0},
                                "category": "Gold",
                            }
                            for seat in ("7", "8", "9")
                        ],
                    }
                    for row in ("11", "12")
                ],
            }
            for zone in ("Block A", "Block B")
        ],
    }


def refusal(raw: bytes) -> PlanRefused:
    refused = parse_plan(raw)
    assert isinstance(refused, PlanRefused)
    return refused


def errors_of(*edits: Edit) -> list[tuple[str, str]]:
    document = sound_plan()
    for edit in edits:
        edit(document)
    return [(error.path, error.message) for error in refusal(json.dumps(document).encode()).errors]


def put(path: str, value: object) -> Edit:
    """An edit that puts the value at a place such as zones.0.rows.1.row_number."""

    def edit(document: Any) -> None:
        *way, last = [int(token) if token.isdigit() else token for token in path.split(".")]
        for token in way:
            document = document[token]
        document[last] = value

    return edit


def drop(path: str) -> Edit:
    def edit(document: Any) -> None:
        *way, last = [int(token) if token.isdigit() else token for token in path.split(".")]
        for token in way:
            document = document[token]
        del document[last]

    return edit


def test_sound_plan_is_accepted() -> None:
    assert isinstance(parse_plan(json.dumps(sound_plan()).encode()), SeatingPlan)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "line 1, column 1"),
        (b'{\n "name": "A",\n "zones" []\n}', "line 3, column 10"),
        (b'{"name": "A"', "line 1, column 13"),
        (b"{}\n{}", "line 2, column 1"),
        (b'{"name":\n "\xc3\xa9\xff"}', "not UTF-8 text: line 2, column 4"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"size": ' + b"1" * 5000 + b",}", "too many digits"),
        (b"[]", "a list"),
        (b"null", "null"),
        (b"4", "a number"),
        (b'"plan"', "text"),
    ],
)
def test_file_that_holds_no_object_is_refused_with_its_place(raw: bytes, words: str) -> None:
    (error,) = refusal(raw).errors
    assert error.path == "$"
    assert words in error.message


SEAT = "zones.1.rows.1.seats.0"
SEAT_PATH = "zones[1].rows[1].seats[0]"
SEAT_WORDS = 'zone "Block B", row "12", seat "7": '


@pytest.mark.parametrize(
    ("edit", "path", "message"),
    [
        (drop("name"), "name", "the plan: name is missing."),
        (put("name", 4), "name", "the plan: name must be text, but is a number."),
        (put("name", "a\x00b"), "name", 'the plan: name "a\ufffdb" contains a control character (U+0000).'),
        (put("name", "n" * 201), "name", "has 201 characters, 200 are allowed here."),
        (drop("size"), "size", "the plan: size is missing."),
        (drop("size.width"), "size.width", "the plan: size.width is missing."),
        (put("size.height", 0), "size.height", "the plan: size.height must be above 0"),
        (put("size.height", True), "size.height", "size.height must be a number, but is true or false."),
        (put("size.width", float("nan")), "size.width", "but is nan."),
        (drop("zones"), "zones", "the plan: zones is missing."),
        (put("zones", {}), "zones", "zones must be a list, but is an object."),
        (put("zones", []), "zones", "the plan: there is no seat in any row of any zone."),
        (put("zones.1", None), "zones[1]", "zone no. 2 of its list: it must be an object, but is null."),
        (drop("zones.1.position"), "zones[1].position", 'zone "Block B": position is missing.'),
        (drop("zones.1.rows"), "zones[1].rows", 'zone "Block B": rows is missing.'),
        (drop("zones.1.name"), "zones[1].name", "zone no. 2 of its list: name is empty."),
        (put("zones.1.name", " \t"), "zones[1].name", "name is empty."),
        (put("zones.1.name", "B\x07B"), "zones[1].name", "contains a control character (U+0007)."),
        (put("zones.1.name", "B" * 61), "zones[1].name", "has 61 characters, 60 are allowed here."),
        (put("zones.1.rows.1.row_number", 12), "zones[1].rows[1].row_number", "must be text, but is a number."),
        (
            put("zones.1.rows.1.row_number", ""),
            "zones[1].rows[1].row_number",
            'zone "Block B", row no. 2 of its list: ',
        ),
        (put("zones.1.rows.1.row_number", "r" * 55), "zones[1].rows[1].row_number", "55 characters, 54 are allowed"),
        (put("zones.1.rows.1.seats", "x"), "zones[1].rows[1].seats", "seats must be a list, but is text."),
        (put("zones.1.rows.1.position.y", 1e7), "zones[1].rows[1].position.y", "but is 1e+07."),
        (drop(SEAT + ".category"), SEAT_PATH + ".category", SEAT_WORDS + "category is missing."),
        (drop(SEAT + ".position.x"), SEAT_PATH + ".position.x", SEAT_WORDS + "position.x is missing."),
        (put(SEAT, []), SEAT_PATH, 'row "12", seat no. 1 of its list: it must be an object, but is a list.'),
        (put(SEAT + ".seat_number", 7), SEAT_PATH + ".seat_number", "seat_number must be text, but is a number."),
        (put(SEAT + ".seat_number", ""), SEAT_PATH + ".seat_number", "seat no. 1 of its list: seat_number is empty."),
        (put(SEAT + ".seat_number", "7\n8"), SEAT_PATH + ".seat_number", "control character (U+000A)."),
        (put(SEAT + ".seat_number", "\ud800"), SEAT_PATH + ".seat_number", "control character (U+D800)."),
        (put(SEAT + ".seat_number", "7" * 54), SEAT_PATH + ".seat_number", "has 65 characters, 64 are allowed."),
        (put(SEAT + ".seat_guid", ""), SEAT_PATH + ".seat_guid", SEAT_WORDS + "seat_guid is empty."),
        (put(SEAT + ".seat_guid", "g\x00"), SEAT_PATH + ".seat_guid", "control character (U+0000)."),
        (put(SEAT + ".seat_guid", "g" * 256), SEAT_PATH + ".seat_guid", "256 characters, 255 are allowed"),
        (
            put(SEAT + ".seat_guid", "Block A/11/8"),
            SEAT_PATH + ".seat_guid",
            SEAT_WORDS + 'seat_guid "Block A/11/8" is already that of zone "Block A", row "11", seat "8" '
            "(zones[0].rows[0].seats[1]).",
        ),
        (
            put(SEAT + ".category", "Bronze"),
            SEAT_PATH + ".category",
            SEAT_WORDS + 'category "Bronze" is not in the plan\'s categories.',
        ),
        (put(SEAT + ".position.x", float("inf")), SEAT_PATH + ".position.x", "1,000,000, but is inf."),
        (put(SEAT + ".position.x", -1000001), SEAT_PATH + ".position.x", "position.x must be between -1,000,000 and"),
        (put(SEAT + ".position.x", 10**400), SEAT_PATH + ".position.x", "must be a number, but is a number too large."),
        (put(SEAT + ".position", [1, 2]), SEAT_PATH + ".position", "position must be an object, but is a list."),
        (put("categories.1.name", " Gold"), "categories[1].name", "another category has the same name: categories[0]."),
        (put("categories.1.name", ""), "categories[1].name", "category no. 2 of its list: name is empty."),
        (
            put("categories.1.color", "#12345"),
            "categories[1].color",
            'category "Silver": color must be #rgb, #rrggbb or',
        ),
        (put("categories.1.color", "url(x)"), "categories[1].color", 'a CSS colour name, but is "url(x)".'),
        (put("categories.1.color", "#fff\n"), "categories[1].color", "must be #rgb"),
        (put("categories", None), "categories", "categories must be a list, but is null."),
        (
            put("zones.0.areas.0.color", "rouge"),
            "zones[0].areas[0].color",
            'zone "Block A", area no. 1 of its list: color',
        ),
        (put("zones.0.areas.0.border_color", ""), "zones[0].areas[0].border_color", "border_color must be #rgb"),
        (put("zones.0.areas.0.shape", "star"), "zones[0].areas[0].shape", "shape must be one of polygon, rectangle,"),
        (
            drop("zones.0.areas.0.circle"),
            "zones[0].areas[0].circle",
            "an area of shape circle needs the member circle.",
        ),
        (
            put("zones.0.areas.0.circle.radius", -1),
            "zones[0].areas[0].circle.radius",
            "circle.radius must be between 0",
        ),
        (
            put("zones.0.areas.0.rotation", "90"),
            "zones[0].areas[0].rotation",
            "rotation must be a number, but is text.",
        ),
        (
            put("zones.0.areas.1.ellipse.radius.y", 1e9),
            "zones[0].areas[1].ellipse.radius.y",
            "radius.y must be between",
        ),
        (put("zones.1.position.y", -2e6), "zones[1].position.y", 'zone "Block B": position.y must be between'),
        (put("zones.0.areas.0.position.x", 2e6), "zones[0].areas[0].position.x", "position.x must be between"),
        (
            put("zones.0.areas.4.text.position.y", 2e6),
            "zones[0].areas[4].text.position.y",
            "position.y must be between",
        ),
        (
            put("zones.0.areas.1.ellipse.radius.x", -1),
            "zones[0].areas[1].ellipse.radius.x",
            "radius.x must be between 0",
        ),
        (
            put("zones.0.areas.2.rectangle.height", 2e6),
            "zones[0].areas[2].rectangle.height",
            "height must be between 0",
        ),
        (put("zones.0.areas.2.rectangle.width", -2), "zones[0].areas[2].rectangle.width", "must be between 0 and"),
        (put("zones.0.areas.3.polygon.points.1.x", None), "zones[0].areas[3].polygon.points[1].x", "but is null."),
        (put("zones.0.areas.3.polygon.points.2.y", 2e6), "zones[0].areas[3].polygon.points[2].y", "but is 2e+06."),
        (put("zones.0.areas.4.text.text", "a\x00"), "zones[0].areas[4].text.text", "control character (U+0000)."),
        (put("zones.0.areas.4.text.color", "x"), "zones[0].areas[4].text.color", "text.color must be #rgb"),
        (put("zones.0.areas.4.text.size", -1), "zones[0].areas[4].text.size", "text.size must be between 0"),
    ],
)
def test_each_mistake_is_named_by_its_path_and_in_words(edit: Edit, path: str, message: str) -> None:
    errors = errors_of(edit)
    assert [found for found, _ in errors] == [path]
    assert message in errors[0][1]


def test_all_mistakes_are_found_at_once() -> None:
    errors = errors_of(
        drop("zones.0.position"),
        put("zones.0.rows.0.seats.1.seat_number", 4),
        put("zones.0.rows.0.seats.2", None),
        put("zones.0.rows.1.seats.0.category", "Bronze"),
        put("zones.1.rows.0.row_number", " "),
        put("zones.1.rows.0.seats.0.position", {"x": "1"}),
        put("zones.1.rows.1.seats.2.seat_guid", "Block A/12/9"),
        put("categories.1.color", "beautiful"),
        drop("size.height"),
    )
    assert {path for path, _ in errors} == {
        "zones[0].position",
        "zones[0].rows[0].seats[1].seat_number",
        "zones[0].rows[0].seats[2]",
        "zones[0].rows[1].seats[0].category",
        "zones[1].rows[0].row_number",
        "zones[1].rows[0].seats[0].position.x",
        "zones[1].rows[0].seats[0].position.y",
        "zones[1].rows[1].seats[2].seat_guid",
        "categories[1].color",
        "size.height",
    }
    assert len(errors) == 10


def test_member_that_may_be_null_is_no_mistake_beside_one() -> None:
    errors = errors_of(put("zones.0.areas.0.text", None), put("zones.0.areas.0.rotation", "90"))
    assert [path for path, _ in errors] == ["zones[0].areas[0].rotation"]


def test_seats_are_not_blamed_for_a_category_that_could_not_be_read() -> None:
    assert [path for path, _ in errors_of(put("categories.0", 1))] == ["categories[0]"]


def test_category_with_another_mistake_still_counts_as_known() -> None:
    errors = errors_of(put("categories.0.color", "x"), put("zones.0.rows.0.seats.0.category", "Bronze"))
    assert [path for path, _ in errors] == ["categories[0].color", "zones[0].rows[0].seats[0].category"]


def test_list_of_mistakes_ends_at_its_limit() -> None:
    document = sound_plan()
    document["zones"][0]["rows"][0]["seats"] = [{}] * 5000
    refused = refusal(json.dumps(document).encode())
    assert (len(refused.errors), refused.more) == (ERRORS_MAX, True)
    document["zones"][0]["rows"][0]["seats"] = [{}] * (ERRORS_MAX // 4)
    refused = refusal(json.dumps(document).encode())
    assert (len(refused.errors), refused.more) == (ERRORS_MAX, False)


def test_too_many_seats_are_one_mistake() -> None:
    document = sound_plan()
    document["zones"][0]["rows"][0]["seats"] = [{}] * (SEATS_MAX + 1 - 9)
    (error,) = refusal(json.dumps(document).encode()).errors
    assert (error.path, error.message) == ("zones", "the plan: 100,001 seats, and 100,000 are allowed.")


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=80),
    st.text(alphabet="\x00\n\ud800A1# ", max_size=4),
    st.sampled_from(
        [[], {}, [{}], [None], {"x": 1, "y": 2}, 10**400, -(10**400), "Gold", "Block A/11/8", "#fff", "x" * 70]
    ),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)),
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of the document, so that one can be replaced or removed."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places_in(value[key])]


def check_outcome(raw: bytes) -> None:
    outcome = parse_plan(raw)
    # Whatever the file was, the answer can be sent.
    assert msgspec.json.encode(outcome)
    if isinstance(outcome, PlanRefused):
        assert 1 <= len(outcome.errors) <= ERRORS_MAX
        assert all(error.path and error.message for error in outcome.errors)
        return
    labels = [seat.seat_no for seat in outcome.seats]
    assert len(set(labels)) == len(labels) > 0
    assert all(0 < len(label) <= 64 and "\x00" not in label for label in labels)
    drawn = json.loads(chart_document(outcome))
    assert [seat[0] for section in drawn["sections"] for row in section["rows"] for seat in row["seats"]] == labels
    assert b"\\u0000" not in chart_document(outcome)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["put", "drop", "twice"]), JUNK), min_size=1, max_size=6)
)
def test_no_change_of_a_sound_plan_raises(changes: list[tuple[int, str, Any]]) -> None:
    document = copy.deepcopy(sound_plan())
    for choice, deed, junk in changes:
        places = places_in(document)
        if not places:
            break
        container, key = places[choice % len(places)]
        if deed == "put":
            container[key] = copy.deepcopy(junk)
        elif deed == "drop":
            del container[key]
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
    check_outcome(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 8))
def test_no_damage_to_the_bytes_raises(dice: random.Random, blows: int) -> None:
    raw = bytearray(json.dumps(sound_plan()).encode())
    for _ in range(blows):
        at = dice.randrange(len(raw))
        match dice.randrange(3):
            case 0:
                raw[at] = dice.randrange(256)
            case 1:
                del raw[at : at + dice.randrange(1, 40)]
            case _:
                raw[at:at] = raw[at : at + 20]
    check_outcome(bytes(raw))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_whatever_raise(raw: bytes) -> None:
    check_outcome(raw)
