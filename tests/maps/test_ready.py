"""Maps that lie ready are answered as they would be by the usual way, and only where that would say the same."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import brotli
import httpx
import pytest
import zstandard

from overbookr import limits
from overbookr.http.front import Front
from overbookr.ids import new_id
from overbookr.main import build_application
from overbookr.maps.boards import Boards, MapKind
from overbookr.maps.ready import ReadyMaps
from overbookr.maps.store import MapStore
from overbookr.settings import Settings
from tests.house.stage import Stage
from tests.house.world import World

pytestmark = pytest.mark.anyio

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": lambda body: body,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}
HELD = [f"Z-1-{n}" for n in range(0, 20, 2)]
PATHS = ["seats", "availability", "availability?form=compact", "chart"]
# What differs from one answer to the next.
_OWN = {"x-request-id", "date"}


@pytest.fixture
async def visitor(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who takes what there is, and says nothing that they are not told to."""
    async with httpx.AsyncClient(
        base_url=world.served.url, timeout=30, headers={"Accept-Encoding": "identity"}
    ) as http:
        yield http


async def show_of(world: World) -> str:
    """An event with a plan of some hundred seats, so that all of its documents are worth encoding."""
    event_id = await world.event()
    seats = [
        {"seat_guid": f"g{n}", "seat_number": str(n), "position": {"x": n, "y": 0}, "category": "C"} for n in range(300)
    ]
    plan = {
        "name": "A house",
        "size": {"width": 900, "height": 20},
        "categories": [{"name": "C", "color": "#aa0000"}],
        "zones": [
            {
                "name": "Z", "zone_id": "z", "position": {"x": 0, "y": 0}, "areas": [],
                "rows": [{"row_number": "1", "row_guid": "r", "position": {"x": 0, "y": 0}, "seats": seats}],
            }
        ],
    }  # fmt: skip
    admin = await world.admin()
    answer = await world.http.put(f"/events/{event_id}/seating-plan", json=plan, headers=admin.headers)
    assert answer.status_code == 201, answer.text
    user = await world.user()
    await world.held(user, event_id, *HELD)
    blocked = {"seat_nos": [f"Z-1-{n}" for n in range(100, 299, 2)]}
    answer = await world.http.post(f"/events/{event_id}/seats/block", json=blocked, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    return event_id


async def raw(http: httpx.AsyncClient, url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the body as it was sent."""
    async with http.stream("GET", url, headers=headers) as answer:
        body = b"".join([part async for part in answer.aiter_raw()])
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in _OWN}, body


@pytest.mark.parametrize("path", PATHS)
async def test_both_ways_say_the_same(world: World, visitor: httpx.AsyncClient, path: str) -> None:
    url = f"/events/{await show_of(world)}/{path}"
    text = (await raw(visitor, url))[2]
    plain = json.loads(text)
    is_short = len(text) < limits.ENCODED_BYTES_MIN
    assert is_short == path.endswith("compact")
    tags = set()
    for encoding in DECODERS:
        sent = "identity" if is_short else encoding
        # `no-cache` goes the usual way in any process; after some of them, what lies ready lies so everywhere.
        usual = [
            await raw(visitor, url, **{"accept-encoding": encoding, "cache-control": "no-cache"}) for _ in range(8)
        ]
        ready = [await raw(visitor, url, **{"accept-encoding": encoding}) for _ in range(8)]
        for status, headers, body in [*usual, *ready]:
            assert (status, headers) == usual[0][:2]
            assert json.loads(DECODERS[sent](body)) == plain
            assert headers.get("content-encoding", "identity") == sent
            assert headers["content-type"] == "application/json"
            assert headers["vary"] == "Accept-Encoding"
        assert sent == "identity" or len(usual[0][2]) < len(text) / 2
        etag = usual[0][1]["etag"]
        tags.add(etag)
        for known in (etag, f'"other", W/{etag}', "*"):
            for extra in ({}, {"cache-control": "no-cache"}):
                status, headers, body = await raw(
                    visitor, url, **{"accept-encoding": encoding, "if-none-match": known, **extra}
                )
                assert (status, headers["etag"], body) == (304, etag, b"")
    assert len(tags) == (1 if is_short else len(DECODERS)), "a strong tag is of bytes"
    head = await visitor.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (
        200,
        b"",
        str(len((await raw(visitor, url))[2])),
    )


async def test_a_tag_of_another_encoding_is_known(world: World, visitor: httpx.AsyncClient) -> None:
    url = f"/events/{await show_of(world)}/availability"
    etag = (await raw(visitor, url, **{"accept-encoding": "br"}))[1]["etag"]
    assert (await raw(visitor, url, **{"if-none-match": etag}))[0] == 304


async def test_the_compact_form_is_the_sparse_one(world: World, visitor: httpx.AsyncClient) -> None:
    """By the chart alone: the order of its seats is that of the states."""
    event_id = await show_of(world)
    chart, sparse, compact = [
        json.loads((await raw(visitor, f"/events/{event_id}/{path}"))[2])
        for path in ("chart", "availability", "availability?form=compact")
    ]
    labels = [seat[0] for section in chart["sections"] for row in section["rows"] for seat in row["seats"]]
    packed = base64.b64decode(compact["states"])
    states = [packed[place // 4] >> 2 * (place % 4) & 3 for place in range(compact["seats"])]
    assert len(labels) == compact["seats"] == 300
    assert [label for label, state in zip(labels, states, strict=True) if state == 1] == sparse["held"]
    assert sparse["held"] == HELD
    assert [label for label, state in zip(labels, states, strict=True) if state == 3] == sparse["blocked"]
    for name in ("event_id", "version", "chart_version", "available"):
        assert compact[name] == sparse[name]


async def test_an_unknown_form_is_refused(world: World, visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get(f"/events/{await world.event(1)}/availability?form=round")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


class Desk:
    """What lies ready in a process, asked without a server."""

    def __init__(self, boards: Boards) -> None:
        self.boards = boards
        self.maps = ReadyMaps()
        self.maps.boards = boards

    async def lay_out(self, event_id: UUID, kind: MapKind, encoding: str) -> None:
        kept = await self.boards.look(event_id)
        assert kept is not None
        document = await self.boards.document(kept, kind)
        assert document is not None
        await document.rendition(encoding)

    def ask(self, path: str, query: bytes = b"", **headers: str) -> int | None:
        lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope: Any = {"path": path, "query_string": query, "headers": lines}
        answer = self.maps(scope)
        return None if answer is None else answer.status


@pytest.fixture
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    # A clock that stands still: what is fresh stays so.
    boards = Boards(MapStore(stage.pool), clock=lambda: 1.0)
    boards.start()
    yield Desk(boards)
    await boards.stop()


async def test_only_what_lies_ready_is_taken(stage: Stage, desk: Desk) -> None:
    event_id = await stage.event(400)
    availability = f"/events/{event_id}/availability"
    assert desk.ask(availability) is None
    await desk.lay_out(event_id, MapKind.AVAILABILITY, "identity")
    assert desk.ask(availability) == 200
    assert desk.ask(availability, b"form=compact") is None
    assert desk.ask(f"/events/{event_id}/seats") is None
    await desk.lay_out(event_id, MapKind.SEATS, "gzip")
    assert desk.ask(f"/events/{event_id}/seats") is None, "nobody has asked for it unencoded"
    assert desk.ask(f"/events/{event_id}/seats", accept_encoding="gzip") == 200


async def test_what_is_out_of_the_ordinary_goes_the_usual_way(stage: Stage, desk: Desk) -> None:
    event_id = await stage.event(4)
    await desk.lay_out(event_id, MapKind.AVAILABILITY, "identity")
    path = f"/events/{event_id}/availability"
    assert desk.ask(path) == 200
    for odd in (path + "/", path.upper(), f"/events/{new_id()}/availability", f"/events/{'x' * 36}/availability",
                f"/events/{event_id}", "/", path[1:]):  # fmt: skip
        assert desk.ask(odd) is None, odd
    assert desk.ask(path, b"form=sparse") is None
    assert desk.ask(path, cache_control="no-cache") is None
    assert desk.ask(path, content_length="2") is None
    desk.boards.doubt([event_id])
    assert desk.ask(path) is None


async def test_a_draft_never_lies_ready(stage: Stage, desk: Desk) -> None:
    event_id = await stage.event(4, status="draft")
    await desk.lay_out(event_id, MapKind.AVAILABILITY, "identity")
    assert desk.ask(f"/events/{event_id}/availability") is None


@asynccontextmanager
async def running(application: Front) -> AsyncIterator[httpx.AsyncClient]:
    """The application as a server has it, in this process."""
    told: asyncio.Queue[Any] = asyncio.Queue()
    answers: asyncio.Queue[Any] = asyncio.Queue()
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    life = asyncio.create_task(application(scope, told.get, answers.put))
    await told.put({"type": "lifespan.startup"})
    assert (await answers.get())["type"] == "lifespan.startup.complete"
    transport = httpx.ASGITransport(application)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://overbookr") as http:
        yield http
    await told.put({"type": "lifespan.shutdown"})
    await life


# What Litestar 3 will ask of handlers is not what this is about, and it is pinned below that.
@pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
async def test_the_application_looks_there_first(
    stage: Stage, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAP_AGE_SECONDS_MAX", 600.0)
    url = f"/events/{await stage.event(4)}/availability"
    application = build_application(Settings(_env_file=None, data_dir=tmp_path), database)
    async with running(application) as http:
        usual = await http.get(url)

        async def fail(*_: Any) -> None:
            raise AssertionError("nothing else is to look at this request")

        monkeypatch.setattr(application, "_app", fail)
        ready = await http.get(url)
        assert (ready.status_code, ready.content) == (200, usual.content)
