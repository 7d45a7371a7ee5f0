"""What is said of an answer that was asked for again and again."""

from typing import Any

import pytest

from bench.scenarios.reads import Sample, judge

WHOLE = Sample(200, "none", '"1"', 5_000)


def answered(done: int = 9_900, refused: int = 0, length: float = 5_200) -> dict[str, Any]:
    return {"done": done, "refused": refused, "bytes_per_answer": length, "failed": []}


@pytest.mark.parametrize(
    ("repetition", "errors", "fails"),
    [
        (answered(), 0, False),
        # A hundredth turned away at the door is what a server at its limit does.
        (answered(refused=100), 0, False),
        (answered(refused=101), 0, True),
        (answered(refused=1), 1, True),
        (answered(length=4_700), 0, True),
        (answered(length=7_000), 0, True),
    ],
)
def test_only_a_few_may_be_turned_away(repetition: dict[str, Any], errors: float, fails: bool) -> None:
    judge(repetition, WHOLE, WHOLE, 200, errors=errors)
    assert bool(repetition["failed"]) == fails


def test_an_answer_of_another_status_is_no_answer() -> None:
    repetition = answered()
    judge(repetition, WHOLE, WHOLE._replace(status=503), 200, errors=0)
    assert repetition["failed"] == ["503 where 200 was due"]
