"""One campaign of schemathesis: one identity against every operation that the description lists."""

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, ScenarioFinished

from proof.fuzz.tolerated import is_tolerated

LOGOUT: Final = "/users/logout"
# Whoever waits for the end of such an answer waits for more than a minute.
ENDLESS: Final = ("/events/{event_id}/stream",)
FAILURES_TOLD_MAX: Final = 20
ACCEPTING: Final = ("2xx", "3xx", "401", "403", "404", "409", "429", "5xx")


@dataclass(frozen=True)
class Identity:
    """Who asks; anybody without a token. `leaves`: logs out and does nothing else, since nothing else could follow."""

    name: str
    token: str | None = None
    leaves: bool = False


@dataclass(frozen=True)
class Effort:
    """How much of what; with `seconds` fuzzing and stateful sequences are repeated until those are over."""

    seed: int
    examples: int
    seconds: int | None = None
    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Tally:
    """What one identity sent and what came back. `failures` counts by check; `told` are the first of them in full."""

    cases: int = 0
    by_phase: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    server_errors: int = 0
    undocumented: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    tolerated: int = 0
    told: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopped: str = ""
    trespasses: list[str] = field(default_factory=list)


def described_for(document: dict[str, Any], identity: Identity) -> dict[str, Any]:
    """What the identity tries of the description; without `default`, with which no status would be undocumented."""
    stricter = copy.deepcopy(document)
    for path in ENDLESS:
        del stricter["paths"][path]
    if identity.token is not None:
        stricter["paths"] = {
            path: operations for path, operations in stricter["paths"].items() if (path == LOGOUT) is identity.leaves
        }
    for operations in stricter["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("default", None)
    return stricter


def run(
    document: dict[str, Any],
    url: str,
    identity: Identity,
    effort: Effort,
    words: dict[str, list[str]],
    foreign: frozenset[str] = frozenset(),
) -> Tally:
    """Blocks until the campaign is over. `words` are values by the place they belong to, such as `path.event_id`, to be
    mixed into what is generated; `foreign` are ids in paths under which this identity must never succeed."""
    described = described_for(document, identity)
    schema = schemathesis.openapi.from_dict(described, config=_config(url, identity, effort, words))
    schema.hook("filter_failure")(_keep)

    tally = Tally()
    for event in from_schema(schema).execute():
        if isinstance(event, ScenarioFinished):
            _count(tally, event, described, foreign)
        elif isinstance(event, NonFatalError):
            tally.errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, FatalError):
            tally.errors.append(repr(event.exception))
        elif isinstance(event, EngineFinished):
            tally.stopped = str(event.stop_reason.value)
    return tally


def _keep(context: Any, failure: Any, case: Any, response: Any) -> bool:
    return not is_tolerated(failure, case, response)


def _config(url: str, identity: Identity, effort: Effort, words: dict[str, list[str]]) -> SchemathesisConfig:
    # Half of the time a word of ours, so that both what exists and what does not is asked for.
    names = {place: place.replace(".", "-").replace("[*]", "") for place in words}
    return SchemathesisConfig.from_dict(
        {
            "seed": effort.seed,
            "suppress-health-check": ["all"],
            **({} if effort.seconds is None else {"max-time": effort.seconds}),
            "base-url": url,
            "headers": {"Authorization": f"Bearer {identity.token}"} if identity.token else {},
            "request-timeout": 20,
            "continue-on-failure": True,
            "warnings": False,
            "cache": {"enabled": False},
            # Nobody here is given an account by the way.
            "auth": {"auto-signup": False},
            # Beyond what schemathesis expects by itself: what is over is over, and a key is not to be used twice.
            "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTING, "410", "422"]}},
            "generation": {"database": "none", "max-examples": effort.examples},
            "phases": {name: {"enabled": name in effort.phases} for name in Effort.phases},
            "dictionaries": {names[place]: {"values": values} for place, values in words.items()},
            "parameters": {place: {"dictionary": names[place], "probability": 0.5} for place in words},
        }
    )


def _count(tally: Tally, event: ScenarioFinished, document: dict[str, Any], foreign: frozenset[str]) -> None:
    recorder = event.recorder
    for identity, interaction in recorder.interactions.items():
        if interaction.response is None or identity not in recorder.cases:
            continue
        case, status = recorder.cases[identity].value, interaction.response.status_code
        tally.cases += 1
        tally.by_phase[str(event.phase.value)] += 1
        tally.by_status[status] += 1
        described = document["paths"].get(case.operation.path, {}).get(case.method.lower())
        tally.server_errors += status >= 500
        if described is not None:
            tally.operations.add(f"{case.method.upper()} {case.operation.path}")
            tally.undocumented += str(status) not in described["responses"]
        if status < 400 and foreign & set(interaction.request.uri.partition("?")[0].split("/")):
            tally.trespasses.append(f"{case.method} {interaction.request.uri} -> {status}")
    tally.tolerated += sum(recorder.filtered_failures.values())
    for identity, checks in recorder.checks.items():
        answer = recorder.interactions[identity].response if identity in recorder.interactions else None
        for check in checks:
            if check.status is not Status.SUCCESS:
                _fail(tally, check, "" if answer is None else f"{answer.status_code} {answer.text[:400]}")


def _fail(tally: Tally, check: Any, answer: str) -> None:
    tally.failures[check.name] += 1
    if len(tally.told) < FAILURES_TOLD_MAX and check.failure_info is not None:
        failure, sample = check.failure_info.failure, check.failure_info.code_sample
        tally.told.append(f"{failure.operation}: {failure.title}\n{failure.message}\n{sample}\n-> {answer}")
