"""Reading: maps of halls of three sizes, seat lists, event lists; and logging in."""

import http.client
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from bench import wrk
from bench.requests import request, write_requests
from bench.run import Bench
from bench.serving import Served, serve_bare

_WARM_UP_SECONDS: Final = 1
_DOCUMENTS: Final = {
    "availability": "/events/{}/availability",
    "compact availability": "/events/{}/availability?form=compact",
    "chart": "/events/{}/chart",
}
_ENCODINGS: Final = ("none", "gzip", "zstd")
_UNCHANGED: Final = "unchanged (304)"
# Answers are told apart by their length; heads differ a little in theirs.
_HEAD_BYTES_MAX: Final = 1_024
SEAT_LIST: Final = "seat list"
EVENT_LIST: Final = ("event list", "20 of 50 events")
_LOGINS: Final = 500
# A password costs tens of milliseconds of a core on purpose, so more at once would only wait.
_LOGIN_CONNECTIONS: Final = 4


class Sample(NamedTuple):
    """One answer. `encoding` is `none` or what its Content-Encoding says."""

    status: int
    encoding: str
    etag: str | None
    length: int


async def measure_maps(bench: Bench) -> None:
    lengths: dict[int, int] = {}
    async with bench.serving("halls") as served:
        for seats, event_id in zip(bench.choices.halls, bench.stage.events["halls"], strict=True):
            for document, pattern in _DOCUMENTS.items():
                yardstick = (f"static body like {document}", f"{seats:,} seats, none")
                length = await _measure_document(
                    bench, served, "maps", document, f"{seats:,} seats", pattern.format(event_id), yardstick=yardstick
                )
                if document == "availability":
                    lengths[seats] = length
    with serve_bare(bench.stage) as bare:
        for seats, length in lengths.items():
            await bench.beside(partial(wrk.repeat, bare, f"/static/{length}", seconds=_WARM_UP_SECONDS))
            answered = await bench.beside(partial(wrk.repeat, bare, f"/static/{length}", seconds=bench.seconds))
            bench.add("maps", "static body like availability", f"{seats:,} seats, none", "reads", answered)


async def measure_lists(bench: Bench) -> None:
    event_id = bench.stage.events["halls"][0]
    async with bench.serving("halls") as served:
        await _measure_document(
            bench, served, "lists", SEAT_LIST, f"{bench.choices.halls[0]:,} seats", f"/events/{event_id}/seats"
        )
    async with bench.serving("fifty") as served:
        listed = await read_again(bench, served, "/events?limit=20")
    bench.add("lists", *EVENT_LIST, "reads", listed)


async def read_again(bench: Bench, served: Served, path: str) -> dict[str, Any]:
    """One answer of 200 again and again, as it is sent to who accepts no encoding."""
    await bench.beside(partial(wrk.repeat, served, path, seconds=_WARM_UP_SECONDS))
    return await _repeat(bench, served, path, {}, await bench.beside(partial(sample, served, path, {})), 200)


async def _repeat(
    bench: Bench, served: Served, path: str, headers: Mapping[str, str], before: Sample, status: int
) -> dict[str, Any]:
    """One answer again and again, judged by one from before and one from after."""
    errors = await bench.beside(served.read_errors)
    answered = await bench.beside(partial(wrk.repeat, served, path, seconds=bench.seconds, headers=headers))
    after = await bench.beside(partial(sample, served, path, headers))
    judge(answered, before, after, status, errors=await bench.beside(served.read_errors) - errors)
    return answered


async def measure_logins(bench: Bench) -> None:
    path = bench.stage.folder / "requests-login"
    write_requests(
        path,
        (
            request("POST", "/users/login", None, {"email": user.email, "password": bench.stage.password})
            for user in bench.stage.users[:_LOGINS]
        ),
    )
    send = partial(
        wrk.send, requests=path, succeeded={"200"}, span=(0, _LOGINS), again=True, connections=_LOGIN_CONNECTIONS
    )
    async with bench.serving("fifty") as served:
        await bench.beside(partial(send, served, seconds=_WARM_UP_SECONDS))
        logged_in = await bench.beside(partial(send, served, seconds=bench.seconds))
    bench.add("login", "login", f"{_LOGIN_CONNECTIONS} at once", "logins", logged_in)


async def _measure_document(
    bench: Bench,
    served: Served,
    scenario: str,
    document: str,
    variant: str,
    path: str,
    *,
    yardstick: tuple[str, str] | None = None,
) -> int:
    """A document in every encoding that it is sent in, and to those who have it; its length as it is, in bytes."""
    await bench.beside(partial(wrk.repeat, served, path, seconds=_WARM_UP_SECONDS))
    whole = await bench.beside(partial(sample, served, path, {}))
    for encoding in (*_ENCODINGS, _UNCHANGED):
        headers = {} if encoding in ("none", _UNCHANGED) else {"Accept-Encoding": encoding}
        if encoding == _UNCHANGED and whole.etag is not None:
            headers["If-None-Match"] = whole.etag
        status = 304 if encoding == _UNCHANGED else 200
        before = await bench.beside(partial(sample, served, path, headers))
        if status == 200 and before.encoding != encoding:
            continue  # So short that it is sent as it is.
        answered = await _repeat(bench, served, path, headers, before, status)
        bench.add(
            scenario, document, f"{variant}, {encoding}", "reads", answered,
            yardstick=yardstick if encoding == "none" and document == "availability" else None,
        )  # fmt: skip
    return whole.length


def sample(served: Served, path: str, headers: Mapping[str, str]) -> Sample:
    """One answer as it is; a redirect is followed as little as wrk follows it."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=10)
    connection.request("GET", path, headers=dict(headers))
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    encoding, etag = answer.getheader("Content-Encoding", "none"), answer.getheader("ETag")
    return Sample(answer.status, encoding, etag, len(body))


def judge(answered: dict[str, Any], before: Sample, after: Sample, status: int, *, errors: float) -> None:
    """An answer before, one after, and the mean length of all between them say what they were.

    A few may have been turned away at the door, which is what a server at its limit does; nothing else may be refused.
    `errors` are the answers of 400 and above that the server counts meanwhile, those at the door not among them.
    """
    failed: list[str] = answered["failed"]
    if errors or answered["refused"] > wrk.BUSY_SHARE_MAX * (answered["done"] + answered["refused"]):
        failed.append(f"{answered['refused']} refusals, {errors:.0f} of them not at the door")
    failed += [f"{one.status} where {status} was due" for one in (before, after) if one.status != status]
    length = answered["bytes_per_answer"]
    # What is on its way when the time is over has been sent and is not counted, or the other way round.
    slack = _HEAD_BYTES_MAX + before.length * 0.05
    if not before.length * 0.95 <= length <= before.length + slack:
        failed.append(f"answers of {length:,.0f} bytes, head included, where the body has {before.length:,}")
    answered |= {"body_bytes": before.length, "encoding": before.encoding}
