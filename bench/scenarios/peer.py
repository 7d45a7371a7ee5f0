"""Another server that speaks the same API, measured with the same generator: holds, holds that are booked, lists.

Either it runs somewhere (`--peer URL`), or it is started here (`--peer-command`) with a new database of the same
PostgreSQL, hence with the same settings, and only while it is measured. It is told what the first implementation of
this API is told: POSTGRESQL_URI, PORT and JWT_SECRET; `--peer-migrations` is a folder of SQL files to be run before.

Its organiser is PEER_EMAIL with PEER_PASSWORD; without them one is registered, as load tests of this API do, which the
server has to allow (Overbookr: OVERBOOKR_OPEN_ROLES=on). Buyers are few and buy much, for registering costs the peer a
password hash each; where it gives each user a share, the share has to be large (Overbookr:
OVERBOOKR_USER_MAX_SEATS_PER_EVENT=1000), and its limits of requests have to be off.

Paths end with a slash, which the first implementation redirects to where it is missing; and each connection is a thread
of the generator, since its answers to holds do not say which seats they are of.
"""

import http.client
import os
import re
import secrets
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from bench import wrk
from bench.run import LAYOUT_NAMES, Bench
from bench.scenarios.reads import EVENT_LIST, SEAT_LIST, read_again
from bench.scenarios.sales import served_name
from bench.serving import Served, serve_peer
from bench.stage import GRIDS, QUERIES

_UNITS: Final = {"hold": "holds", "flow": "bookings"}
_LAYOUTS: Final = ("one", "fifty")
_DATABASE: Final = "peer"
_EXTENSION: Final = re.compile(r"^create extension (?:if not exists )?\"?(\w+)\"?[^;]*;", re.IGNORECASE | re.MULTILINE)
_BUYERS: Final = 64
# More pairs than are sold in a second by anything measured so far; a run that sells out says so.
_PAIRS_PER_SECOND: Final = 3_000
_PAIRS_MIN: Final = 6_000
_SEATS_PER_REQUEST: Final = 1_000
_WARM_UP_SECONDS: Final = 1
_WARM_UP_SHARE: Final = 10
_TIMEOUT_SECONDS: Final = 60.0


class PeerRefused(RuntimeError):
    """The peer does not do what is needed before anything can be measured. The text says what it answered."""


class Peer:
    """Asks the peer for what is prepared, each time by a connection of its own: it may close those that are idle."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._place = parts.netloc
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection

    def ask(self, method: str, path: str, body: Any, *, token: str | None = None, due: tuple[int, ...]) -> Any:
        """The JSON of an answer with a status that is due. Raises PeerRefused for any other."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        connection = self._kind(self._place, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, msgspec.json.encode(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except http.client.RemoteDisconnected as error:
            raise PeerRefused(f"{method} {path} was not answered: the peer hung up") from error
        finally:
            connection.close()
        if answer.status not in due:
            raise PeerRefused(f"{method} {path} was answered {answer.status}: {content[:200]!r}")
        return msgspec.json.decode(content)

    def register(self, name: str, role: str) -> str:
        """The new account's token, from the answer or by logging in."""
        account = {"email": f"{name}-{secrets.token_hex(6)}@bench.invalid", "password": secrets.token_urlsafe(24)}
        answer = self.ask("POST", "/users/register", {"name": name, "role": role, **account}, due=(200, 201))
        return str(answer.get("token") or self.log_in(**account))

    def log_in(self, email: str, password: str) -> str:
        return str(self.ask("POST", "/users/login", {"email": email, "password": password}, due=(200,))["token"])


async def measure_peer(bench: Bench) -> None:
    choices = bench.choices
    if choices.peer_command is not None:
        dsn = await _make_database(bench)
        with serve_peer(bench.stage, shlex.split(choices.peer_command), dsn) as served:
            await _measure(bench, served)
    elif choices.peer is not None:
        await _measure(bench, Served(Peer(choices.peer).url, None, None, 0.0))


async def _measure(bench: Bench, served: Served) -> None:
    peer = Peer(served.url)
    admin = await bench.beside(partial(_organiser, peer))
    buyers = await bench.beside(lambda: [peer.register(f"buyer-{number}", "user") for number in range(_BUYERS)])
    tokens = bench.stage.folder / "peer-tokens"
    tokens.write_text("".join(f"{token}\n" for token in buyers))
    for kind in _UNITS:
        for layout in _LAYOUTS:
            variant = LAYOUT_NAMES[layout]
            sold = await _sell(bench, served, kind, tokens, partial(_open_events, bench, peer, admin, layout))
            bench.add(
                "peer", f"{served_name(kind)} by the peer", variant, _UNITS[kind], sold,
                yardstick=(served_name(kind), variant),
            )  # fmt: skip
    hall = bench.choices.halls[0]
    labels = [f"S{number}" for number in range(1, hall + 1)]
    event_id = await bench.beside(partial(_open_event, peer, admin, "Bench hall", labels))
    lists = ((SEAT_LIST, f"{hall:,} seats, none", f"/events/{event_id}/seats"), (*EVENT_LIST, "/events/?limit=20"))
    for name, variant, path in lists:
        read = await read_again(bench, served, path)
        bench.add("peer", f"{name} by the peer", variant, "reads", read, yardstick=(name, variant))


async def _sell(bench: Bench, served: Served, kind: str, tokens: Path, opened: Callable[[int], Path]) -> dict[str, Any]:
    pairs = max(_PAIRS_MIN, _PAIRS_PER_SECOND * bench.seconds)
    events = await bench.beside(partial(opened, pairs))
    sell = partial(
        wrk.sell, served, kind, tokens=tokens, events=events, pairs=pairs, users_at_once=_BUYERS,
        threads=wrk.CONNECTIONS, slash="/",
    )  # fmt: skip
    visits = pairs - pairs // _WARM_UP_SHARE
    await bench.beside(partial(sell, seconds=_WARM_UP_SECONDS, visits=(visits, pairs)))
    sold = await bench.beside(partial(sell, seconds=bench.seconds, visits=(0, visits)))
    if not sold["done"]:
        sold["failed"].append("nothing was sold")
    return sold


async def _make_database(bench: Bench) -> str:
    """A database of the peer's own, new, with its migrations, and where it is."""
    stage = bench.stage
    async with stage.connect("postgres") as connection:
        await connection.execute(f"drop database if exists {_DATABASE} with (force)")
        await connection.execute(f"create database {_DATABASE}")
    folder = bench.choices.peer_migrations
    files = sorted(folder.glob("*.sql")) if folder is not None else []
    async with stage.connect(_DATABASE) as connection:
        known = {row["name"] for row in await connection.fetch(QUERIES.extensions)}
        for file in files:
            if file.name.endswith(".down.sql"):
                continue
            # What an extension was needed for once, as gen_random_uuid() was, may have become PostgreSQL's own since.
            text = _EXTENSION.sub(lambda found: found[0] if found[1] in known else "", file.read_text())
            await connection.execute(text)
    return stage.dsn(_DATABASE)


def _organiser(peer: Peer) -> str:
    """The organiser's token."""
    email, password = os.environ.get("PEER_EMAIL"), os.environ.get("PEER_PASSWORD")
    return peer.log_in(email, password) if email and password else peer.register("organiser", "admin")


def _open_events(bench: Bench, peer: Peer, admin: str, layout: str, pairs: int) -> Path:
    """New events with as many pairs of seats, dealt to them in turn; a file of their ids."""
    count = GRIDS[layout]
    event_ids = []
    for place in range(count):
        labels = [f"S{2 * pair + side}" for pair in range(place, pairs, count) for side in (1, 2)]
        event_ids.append(_open_event(peer, admin, f"Bench {place}", labels))
    path = bench.stage.folder / f"peer-events-{layout}"
    path.write_text("".join(f"{event_id}\n" for event_id in event_ids))
    return path


def _open_event(peer: Peer, admin: str, name: str, labels: list[str]) -> str:
    start = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"name": name, "venue": "Bench hall", "start_time": start, "capacity": len(labels)}
    event_id = str(peer.ask("POST", "/events/", about, token=admin, due=(200, 201))["id"])
    for first in range(0, len(labels), _SEATS_PER_REQUEST):
        wanted = {"seat_nos": labels[first : first + _SEATS_PER_REQUEST]}
        peer.ask("POST", f"/events/{event_id}/seats", wanted, token=admin, due=(200, 201))
    return event_id
