"""When the audit looks, and when it is put off."""

from collections.abc import Iterator

import pytest

from overbookr.audit.duties import Reconciler
from overbookr.audit.store import LAWS, AuditStore
from tests.audit import house

pytestmark = pytest.mark.anyio


class _Clock:
    """Shows the next of `times` at each look, and the last one for ever."""

    def __init__(self, *times: float) -> None:
        self._times: Iterator[float] = iter(times)
        self._last = 0.0

    def __call__(self) -> float:
        self._last = next(self._times, self._last)
        return self._last


def _reconciler(store: AuditStore, clock: _Clock, *, is_busy: bool) -> tuple[Reconciler, dict[str, int]]:
    looked: dict[str, int] = {}

    def note(law: str, count: int) -> None:
        looked[law] = looked.get(law, 0) + 1

    duty = Reconciler(
        store, user_seats_max=house.SHARE, set_invariant_violations=note, is_busy=lambda: is_busy, clock=clock
    )
    return duty, looked


async def test_a_long_audit_is_put_off_while_the_machine_is_busy_but_not_for_ever(store: AuditStore) -> None:
    # Made at 0 and asked at 899, when nobody knows yet how long it takes; looks from 900 to 908; asked again at 1000,
    # at 1807 (899 s after it ended) and at 1808.
    duty, looked = _reconciler(store, _Clock(0, 899, 900, 908, 1000, 1807, 1808, 1809), is_busy=True)
    await duty.run_once()
    assert looked == {}
    await duty.run_once()
    assert looked == dict.fromkeys(LAWS, 1)
    assert duty.period_seconds == 8 * 20
    for _ in range(2):
        await duty.run_once()
        assert looked == dict.fromkeys(LAWS, 1), "put off"
        assert duty.period_seconds == 60, "and asked again soon"
    await duty.run_once()
    assert looked == dict.fromkeys(LAWS, 2)


async def test_a_long_audit_is_not_put_off_while_there_is_room(store: AuditStore) -> None:
    duty, looked = _reconciler(store, _Clock(0, 10, 18, 100, 108), is_busy=False)
    await duty.run_once()
    await duty.run_once()
    assert looked == dict.fromkeys(LAWS, 2)


async def test_a_short_audit_is_never_put_off(store: AuditStore) -> None:
    duty, looked = _reconciler(store, _Clock(0, 900, 901, 961, 962), is_busy=True)
    await duty.run_once()
    await duty.run_once()
    assert looked == dict.fromkeys(LAWS, 2)
    assert duty.period_seconds == 60
