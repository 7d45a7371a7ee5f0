"""What buyers make up their minds to do follows from the seed, and all of it occurs."""

import random

from overbookr.demo.model import EXPECTED, Ending, Operation, Repeat, draw_intent


def test_the_same_seed_draws_the_same_buyers() -> None:
    first = [draw_intent(random.Random(f"7:{number}")) for number in range(50)]
    assert first == [draw_intent(random.Random(f"7:{number}")) for number in range(50)]
    assert first != [draw_intent(random.Random(f"8:{number}")) for number in range(50)]


def test_every_behaviour_occurs_in_a_crowd_and_most_book() -> None:
    crowd = [draw_intent(random.Random(f"1:{number}")) for number in range(2_000)]
    assert {intent.seats for intent in crowd} == {1, 2, 3, 4}
    assert {intent.ending for intent in crowd} == set(Ending)
    assert {intent.repeat for intent in crowd} == set(Repeat)
    assert any(intent.watches for intent in crowd)
    assert any(intent.waits and intent.watches is None for intent in crowd)
    for trait in (
        "holds_with_key",
        "repeats_hold",
        "reads_whole_list",
        "books_twice",
        "cancels",
        "sits_apart",
        "waits",
    ):
        values = {getattr(intent, trait) for intent in crowd}
        assert values == {True, False}, trait
    assert sum(intent.ending is Ending.BOOK for intent in crowd) > 1_500
    assert all(intent.holds_with_key for intent in crowd if intent.repeats_hold)


def test_every_operation_says_what_it_may_be_answered_with() -> None:
    assert EXPECTED.keys() == set(Operation)
    assert not [status for answers in EXPECTED.values() for status, _ in answers if status >= 500]
