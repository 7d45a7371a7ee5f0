"""When a mail is tried again."""

from __future__ import annotations

import pytest

from overbookr.mail.model import retry_delay_seconds


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_delays_double_up_to_an_hour(chance: float) -> None:
    delays = [retry_delay_seconds(attempts, chance) for attempts in range(1, 20)]
    share = 0.5 + chance / 2
    assert delays[:8] == [share * wait for wait in (60, 120, 240, 480, 960, 1920, 3600, 3600)]
    assert delays[13] == share * 3600
    assert set(delays[14:]) == {None}
