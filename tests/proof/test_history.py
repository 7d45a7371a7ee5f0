"""The checker of histories: silent about a true one, and loud about each way to falsify it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from proof.crowd.buyers import Show
from proof.crowd.record import Operation
from proof.crowd.season import Programme, open_season
from proof.history.corruptions import CORRUPTIONS, is_caught
from proof.history.recording import check_history, read_history, write_closing
from proof.house import SHARE
from tests.house.serving import Served

pytestmark = pytest.mark.anyio


async def test_a_true_history_is_believed_and_a_false_one_is_not(
    start_server: Callable[..., Served], tmp_path: Path
) -> None:
    served = start_server(OVERBOOKR_HOLD_TTL_SECONDS="1")

    async def close(show: Show, operations: list[Operation]) -> None:
        await write_closing(served.dsn, tmp_path, show, SHARE)

    programme = Programme(clients=16, operations=1_500, operations_per_event=900, hot=10, cold=20)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    async with open_season(served.dsn, [served.url], programme, tmp_path, random.Random(seed), close) as season:
        await season.run()
    verdict = check_history(tmp_path)
    assert verdict.violations == []
    assert verdict.counts["operations"] == 1_500

    caught: dict[str, bool] = {}
    chance = random.Random(seed)
    for operations, closing in read_history(tmp_path):
        for expected, corrupt in CORRUPTIONS:
            found = is_caught(expected, corrupt, operations, closing, chance)
            if found is not None:
                caught[corrupt.__name__] = caught.get(corrupt.__name__, False) or found
    assert all(caught.values()), caught
    # What a short season does not have (nobody jumped a queue of two, say) cannot be falsified in it.
    assert len(caught) >= len(CORRUPTIONS) - 3, caught
