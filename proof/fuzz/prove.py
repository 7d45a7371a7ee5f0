"""Requests of every shape that the description allows, and many that it does not, as anybody who may ask."""

import asyncio
import copy
import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from overbookr.users.tokens import issue_access
from proof.fuzz.campaign import Effort, Identity, Tally, run
from proof.fuzz.tolerated import REASONS
from proof.house import House, open_house
from proof.part import Circumstances, Finding
from tests.house.postgres import fast_folder
from tests.house.serving import SECRET
from tests.house.world import Someone, World, open_world

TOKEN_SECONDS: Final = 86_400
EXAMPLES_SMALL: Final = 2  # of each operation, by each identity
EXAMPLES_FULL: Final = 100
SECONDS_FULL: Final = 200  # for each identity
SEATS: Final = [f"S{number}" for number in range(1, 41)]
# A small run shares the phases out; in a full one everybody goes through all of them.
SMALL_PHASES: Final = {
    "anonymous": ("fuzzing",),
    "user": ("fuzzing", "stateful"),
    "other user": ("fuzzing", "stateful"),
    "admin": ("coverage", "stateful"),
}


async def prove(given: Circumstances) -> Finding:
    finding = Finding(untested=[*REASONS, "fuzz: rate limits, which are off; tests of their own look at them"])
    with tempfile.TemporaryDirectory(prefix="overbookr-proof-fuzz-", dir=fast_folder()) as folder:
        # As many seats as the description can say: a deployment may bound them more tightly than its schema tells.
        async with open_house(
            Path(folder),
            OVERBOOKR_USER_MAX_SEATS_PER_EVENT="1000",
            OVERBOOKR_HOLD_MAX_SEATS="1000",
            OVERBOOKR_HOLD_TTL_SECONDS="86400",
        ) as house:
            try:
                await _fuzz(given, house, finding)
            finally:
                (given.folder / "serve.log").write_text(house.logs)
    return finding


async def _fuzz(given: Circumstances, house: House, finding: Finding) -> None:
    dice = given.random("campaigns")
    async with open_world(replace(house.instances[0], dsn=house.dsn)) as world:
        document = (await world.http.get("/openapi.json")).json()
        people = await world.users(2)
        words, foreign = await _furnish(world, people[0])
        tokens = _tokens([*people, *await world.users(1), await world.admin()])
        identities = [
            Identity("anonymous"),
            Identity("user", tokens[0]),
            Identity("other user", tokens[1]),
            Identity("user who logs out", tokens[2], leaves=True),
            Identity("admin", tokens[3]),
        ]
        tallies: dict[str, Tally] = {}
        for identity in identities:
            effort = _effort(given, identity, dice.randrange(2**32))
            forbidden = foreign if identity.name in ("anonymous", "other user") else frozenset()
            tally = await asyncio.to_thread(run, document, house.urls[0], identity, effort, words, forbidden)
            tallies[identity.name] = tally
            given.report(f"{identity.name}: {tally.cases:,} cases, {sum(tally.failures.values())} failures")
        await world.assert_lawful(user_seats_max=1000)
        await _notice_wrong_descriptions(given, house.urls[0], document, words, finding)
    _tell(finding, tallies, sum(len(operations) for operations in document["paths"].values()))


def _effort(given: Circumstances, identity: Identity, seed: int) -> Effort:
    if identity.leaves:
        return Effort(seed, 5)
    if given.size == "small":
        return Effort(seed, EXAMPLES_SMALL, phases=SMALL_PHASES[identity.name])
    return Effort(seed, EXAMPLES_FULL, SECONDS_FULL)


async def _notice_wrong_descriptions(
    given: Circumstances, url: str, document: dict[str, Any], words: dict[str, list[str]], finding: Finding
) -> None:
    """A check that cannot fail is none: the same campaign on a description that lies about one status and one type."""
    path = "/events/{event_id}"
    lying = copy.deepcopy(document)
    lying["paths"] = {path: {"get": lying["paths"][path]["get"]}}
    del lying["paths"][path]["get"]["responses"]["404"]
    lying["components"]["schemas"]["Event"]["properties"]["capacity"] = {"type": "string"}
    effort = Effort(given.random("wrong descriptions").randrange(2**32), 20, phases=("fuzzing",))
    tally = await asyncio.to_thread(
        run, lying, url, Identity("anonymous"), effort, {"path.event_id": words["path.event_id"]}
    )
    noticed = {"status_code_conformance", "response_schema_conformance"} <= set(
        tally.failures
    ) and tally.undocumented > 0
    finding.claim(
        "A description that lies about one status and one type is noticed",
        noticed,
        f"{tally.failures['status_code_conformance']} and {tally.failures['response_schema_conformance']} times in "
        f"{tally.cases} cases",
    )


async def _furnish(world: World, user: Someone) -> tuple[dict[str, list[str]], frozenset[str]]:
    """Things that can be asked for, by the place of a request where they are named; and the ids that are one user's."""
    plain, awaited, strict = [await world.event(SEATS, **fields) for fields in (
        {}, {"capacity": 2}, {"capacity": 2, "waitlist_policy": "strict"}
    )]  # fmt: skip
    draft = await world.event(SEATS, status="draft")
    for event_id in (awaited, strict):
        await world.booked(user, event_id, *SEATS[:2])
    holds = [await world.held(user, plain, *SEATS[place : place + 2]) for place in range(0, 20, 2)]
    bookings = [await world.booked(user, plain, seat) for seat in SEATS[20:30]]
    events = [plain, awaited, strict, draft]
    words = {
        "path.event_id": events,
        "body.event_id": events,
        "body.seat_nos.[*]": SEATS,
        "path.hold_token": holds,
        "body.hold_token": holds,
        "path.booking_id": bookings,
        "path.code": ["busy", "hold_over"],
    }
    return words, frozenset(holds + bookings)


def _tokens(people: list[Someone]) -> list[str]:
    return [issue_access(SECRET.encode(), person.id, 1, TOKEN_SECONDS) for person in people]


def _tell(finding: Finding, tallies: dict[str, Tally], operations: int) -> None:
    cases = sum(tally.cases for tally in tallies.values())
    server_errors = sum(tally.server_errors for tally in tallies.values())
    undocumented = sum(tally.undocumented for tally in tallies.values())
    failures: Counter[str] = sum((tally.failures for tally in tallies.values()), Counter())
    covered = set.union(*(tally.operations for tally in tallies.values()))
    statuses: Counter[int] = sum((tally.by_status for tally in tallies.values()), Counter())
    finding.claim("No request is answered with a status of 500 or more", server_errors == 0 < cases, f"{cases:,} cases")
    finding.claim(
        "Every answer has a status that the description lists", undocumented == 0, f"{undocumented} of {cases:,}"
    )
    finding.claim(
        "Every answer has the headers, media type and schema described; what is not as described is refused, what is "
        "is accepted; what was deleted stays away; nobody passes without the token that is needed",
        not failures,
        f"{failures.total()} failures, {sum(tally.tolerated for tally in tallies.values())} tolerated for a reason",
    )
    trespasses = [line for tally in tallies.values() for line in tally.trespasses]
    finding.claim(
        "Nobody reaches a user's holds and bookings but that user", not trespasses, f"{len(trespasses)} trespasses"
    )
    finding.claim(
        "Every operation of the description was called", len(covered) == operations, f"{len(covered)} of {operations}"
    )
    for name, tally in tallies.items():
        finding.violations += [f"{name}: {told}" for told in [*tally.told, *tally.errors, *tally.trespasses]]
        finding.figures |= _figures(name.replace(" ", "_"), tally)
    finding.figures |= {
        "cases": cases,
        "operations": operations,
        "operations_covered": len(covered),
        "server_errors": server_errors,
        "undocumented_statuses": undocumented,
        "schema_mismatches": failures["response_schema_conformance"],
        "failures_by_check": json.dumps(dict(sorted(failures.items()))),
        "answers_by_status": json.dumps({str(status): count for status, count in sorted(statuses.items())}),
    }


def _figures(name: str, tally: Tally) -> dict[str, Any]:
    return {
        f"{name}_cases": tally.cases,
        f"{name}_operations": len(tally.operations),
        f"{name}_server_errors": tally.server_errors,
        f"{name}_undocumented_statuses": tally.undocumented,
        f"{name}_schema_mismatches": tally.failures["response_schema_conformance"],
        f"{name}_failures": sum(tally.failures.values()),
        f"{name}_tolerated": tally.tolerated,
        **{f"{name}_{phase}_cases": count for phase, count in sorted(tally.by_phase.items())},
    }
