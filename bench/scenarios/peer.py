"""Another server that speaks the same API, measured with the same generator: holds, and holds that are booked.

Its organiser is PEER_EMAIL with PEER_PASSWORD; without them one is registered, as load tests of this API do, which the
server has to allow (Overbookr: OVERBOOKR_OPEN_ROLES=on). Buyers are few and buy much, for registering costs the peer a
password hash each; where it gives each user a share, the share has to be large (Overbookr:
OVERBOOKR_USER_MAX_SEATS_PER_EVENT=1000), and its limits of requests have to be off.
"""

import http.client
import os
import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from bench import wrk
from bench.run import LAYOUT_NAMES, Bench
from bench.scenarios.sales import served_name
from bench.serving import Served
from bench.stage import GRIDS

_UNITS: Final = {"hold": "holds", "flow": "bookings"}
_LAYOUTS: Final = {"hold": ("one",), "flow": ("one", "fifty")}
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
    """A connection to the peer for what is prepared."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=_TIMEOUT_SECONDS)

    def ask(self, method: str, path: str, body: Any, *, token: str | None = None, due: tuple[int, ...]) -> Any:
        """The JSON of an answer with a status that is due. Raises PeerRefused for any other."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._connection.request(method, path, msgspec.json.encode(body), headers)
        answer = self._connection.getresponse()
        content = answer.read()
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
    url = bench.choices.peer
    if url is None:
        return
    peer = Peer(url)
    admin = await bench.beside(partial(_organiser, peer))
    tokens = bench.stage.folder / "peer-tokens"
    if not tokens.exists():
        buyers = await bench.beside(lambda: [peer.register(f"buyer-{number}", "user") for number in range(_BUYERS)])
        tokens.write_text("".join(f"{token}\n" for token in buyers))
    served = Served(peer.url, None, None, 0.0)
    for kind, layouts in _LAYOUTS.items():
        for layout in layouts:
            variant = LAYOUT_NAMES[layout]
            pairs = max(_PAIRS_MIN, _PAIRS_PER_SECOND * bench.seconds)
            events = await bench.beside(partial(_open_events, bench, peer, admin, layout, pairs))
            sell = partial(wrk.sell, served, kind, tokens=tokens, events=events, pairs=pairs, users_at_once=_BUYERS)
            visits = pairs - pairs // _WARM_UP_SHARE
            await bench.beside(partial(sell, seconds=_WARM_UP_SECONDS, visits=(visits, pairs)))
            sold = await bench.beside(partial(sell, seconds=bench.seconds, visits=(0, visits)))
            if not sold["done"]:
                sold["failed"].append("nothing was sold")
            bench.add(
                "peer", f"{served_name(kind)} by the peer", variant, _UNITS[kind], sold,
                yardstick=(served_name(kind), variant),
            )  # fmt: skip


def _organiser(peer: Peer) -> str:
    """The organiser's token."""
    email, password = os.environ.get("PEER_EMAIL"), os.environ.get("PEER_PASSWORD")
    return peer.log_in(email, password) if email and password else peer.register("organiser", "admin")


def _open_events(bench: Bench, peer: Peer, admin: str, layout: str, pairs: int) -> Path:
    """New events with as many pairs of seats, dealt to them in turn; a file of their ids."""
    count = GRIDS[layout]
    start = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    event_ids = []
    for place in range(count):
        seats = [f"S{2 * pair + side}" for pair in range(place, pairs, count) for side in (1, 2)]
        about = {"name": f"Bench {place}", "venue": "Bench hall", "start_time": start, "capacity": len(seats)}
        event_id = peer.ask("POST", "/events", about, token=admin, due=(200, 201))["id"]
        for first in range(0, len(seats), _SEATS_PER_REQUEST):
            peer.ask(
                "POST", f"/events/{event_id}/seats", {"seat_nos": seats[first : first + _SEATS_PER_REQUEST]},
                token=admin, due=(200, 201),
            )  # fmt: skip
        event_ids.append(event_id)
    path = bench.stage.folder / f"peer-events-{layout}"
    path.write_text("".join(f"{event_id}\n" for event_id in event_ids))
    return path
