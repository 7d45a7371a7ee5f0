"""Natural order: the key's byte order is the order in which people expect labels."""

import itertools
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overbookr.seats.natural_order import natural_key

LABELS = st.text(max_size=64)
# Few characters, so that labels often share beginnings and differ in numbers only.
SIMILAR_LABELS = st.text(alphabet="aAbB019 -.é\u0663", max_size=12)


def parts_of(label: str) -> list[tuple[int, int, str]]:
    """The natural order written the other way: a list of numbers and characters to compare one by one."""
    return [
        (ord("0"), int(part), "") if part.isdecimal() else (ord(part), 0, part)
        for part in re.findall(r"\d+|\D", label.casefold())
    ]


@pytest.mark.parametrize(
    "ordered",
    [
        ["S1", "S2", "S3", "S9", "S10", "S11", "S100"],
        ["A1", "A2", "A10", "B1"],
        ["A1", "a1", "A2", "a2", "B1"],
        ["A001", "A01", "A1", "A2", "A02b"],
        ["Block A-1-2", "Block A-1-10", "Block A-2-1", "Block A-10-1", "Block B-1-1"],
        ["Parkett", "Parkett 1", "Parkett 1a", "Parkett 1b", "Parkett 2"],
        ["Écran 2", "écran 10"],
        ["列2", "列10"],
        ["\u0662", "\u0661\u0660"],
        ["9" * 63, "1" + "0" * 63],
        ["0", "00" + "1", "1", "2"],
    ],
)
def test_labels_sort_as_people_expect(ordered: list[str]) -> None:
    for seed in range(10):
        shuffled = random.Random(seed).sample(ordered, len(ordered))
        assert sorted(shuffled, key=natural_key) == ordered


@given(SIMILAR_LABELS, SIMILAR_LABELS)
def test_numbers_compare_as_numbers_and_letters_without_case(first: str, second: str) -> None:
    if parts_of(first) != parts_of(second):
        assert (natural_key(first) < natural_key(second)) == (parts_of(first) < parts_of(second))


@given(LABELS, LABELS)
def test_code_point_order_is_byte_order(first: str, second: str) -> None:
    one, other = natural_key(first), natural_key(second)
    assert (one < other) == (one.encode() < other.encode())


@given(LABELS)
def test_key_can_be_stored_and_stays_short(label: str) -> None:
    key = natural_key(label)
    assert "\x00" not in key
    assert len(key.encode()) < 1024


@given(st.one_of(LABELS, SIMILAR_LABELS, st.text(alphabet="\x00\x01\x02@A1", max_size=6)), LABELS)
def test_key_gives_the_label_back(label: str, other: str) -> None:
    if label != other:
        assert natural_key(label) != natural_key(other)
    stored = natural_key(label).partition("\x01")[2]
    assert stored.replace("\x02@", "\x00").replace("\x02A", "\x01").replace("\x02B", "\x02") == label


def test_zeros_at_the_front_count_only_when_all_else_is_equal() -> None:
    labels = ["A01-2", "A1-1", "A01-1", "A1-2"]
    assert sorted(labels, key=natural_key) == ["A01-1", "A1-1", "A01-2", "A1-2"]


def test_numbers_of_every_length_up_to_64_digits_keep_their_order() -> None:
    labels = ["S" + "9" * digits for digits in range(1, 65)]
    keys = [natural_key(label) for label in labels]
    assert all(one < other for one, other in itertools.pairwise(keys))
