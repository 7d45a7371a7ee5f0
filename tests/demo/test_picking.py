"""Buyers find seats that are free, next to each other where they can be, and rather in front than behind."""

import random
from collections import Counter
from collections.abc import Collection

import pytest

from overbookr.demo.picking import AvailabilityAnswer, House, HouseView
from tests.demo.hall import small_plan


@pytest.fixture
def house() -> House:
    return House(small_plan(rows=3, seats=8, aisle_after=4))


def seen(house: House, taken: Collection[str] = ()) -> HouseView:
    return house.view(AvailabilityAnswer(version=7, available=0, held=list(taken), booked=[], blocked=[]))


def test_the_best_seats_are_those_next_to_the_stage(house: House) -> None:
    assert {label.split("-")[1] for label in house.seat_nos[:3]} == {"A"}
    assert house.seat_nos[-1].startswith("Hall-C")


def test_without_a_stage_the_best_seats_are_in_the_middle_of_the_house() -> None:
    house = House(small_plan(rows=5, seats=8, stage=False))
    assert house.seat_nos[0].startswith("Hall-C")


def test_a_view_counts_every_kind_of_taken_seat(house: House) -> None:
    answer = AvailabilityAnswer(3, 0, held=["Hall-A-1"], booked=["Hall-A-2", "Hall-B-1"], blocked=["Hall-C-8"])
    view = house.view(answer)
    assert (view.free, view.held, view.booked) == (24 - 4, 1, 2)
    assert set(house.free_seats(view)).isdisjoint({"Hall-A-1", "Hall-A-2", "Hall-B-1", "Hall-C-8"})
    assert len(house.free_seats(view)) == view.free


def test_a_view_with_an_unknown_seat_is_refused(house: House) -> None:
    with pytest.raises(KeyError):
        seen(house, ["Hall-Z-1"])


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_party_sits_together_in_one_row_and_not_across_the_aisle(house: House, size: int) -> None:
    chance = random.Random(size)
    for _ in range(200):
        choice = house.choose(seen(house), size, 0.5, chance)
        assert choice is not None
        rows = {label.split("-")[1] for label in choice}
        numbers = sorted(int(label.split("-")[2]) for label in choice)
        assert len(rows) == 1
        assert numbers == list(range(numbers[0], numbers[0] + size))
        assert numbers[-1] <= 4 or numbers[0] >= 5


def test_no_seat_is_chosen_that_is_taken(house: House) -> None:
    chance = random.Random(5)
    for _ in range(300):
        taken = set(chance.sample(house.seat_nos, chance.randint(0, 22)))
        choice = house.choose(seen(house, taken), chance.randint(1, 4), 0.3, chance)
        if choice is not None:
            assert taken.isdisjoint(choice)
            assert len(set(choice)) == len(choice)


def test_a_short_reach_stays_in_front_and_still_varies(house: House) -> None:
    chance = random.Random(2)
    near = Counter(tuple(house.choose(seen(house), 2, 0.05, chance) or ()) for _ in range(300))
    far = Counter(tuple(house.choose(seen(house), 2, 0.6, chance) or ()) for _ in range(300))
    assert near.most_common(1)[0][1] > far.most_common(1)[0][1]
    assert 1 < len(near) < len(far)


def test_the_same_chance_makes_the_same_choice(house: House) -> None:
    first = [house.choose(seen(house), 2, 0.3, random.Random(n)) for n in range(20)]
    assert first == [house.choose(seen(house), 2, 0.3, random.Random(n)) for n in range(20)]


def test_whoever_may_sit_apart_takes_scattered_seats_and_others_none(house: House) -> None:
    scattered = {"Hall-A-1", "Hall-B-4", "Hall-C-7"}
    view = seen(house, set(house.seat_nos) - scattered)
    assert set(house.choose(view, 3, 0.5, random.Random(1), apart=True) or ()) == scattered
    assert house.choose(view, 3, 0.5, random.Random(1), apart=False) is None
    assert house.choose(view, 4, 0.5, random.Random(1), apart=True) is None


def test_a_last_pair_is_found_however_far_behind_it_is(house: House) -> None:
    view = seen(house, set(house.seat_nos) - {"Hall-C-7", "Hall-C-8"})
    assert set(house.choose(view, 2, 0.01, random.Random(1)) or ()) == {"Hall-C-7", "Hall-C-8"}
