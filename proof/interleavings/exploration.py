"""Which schedules to run: all of them, depth first, without keeping any state but the choices themselves.

A schedule is a word of session numbers, one a step. Each is run from the same start state; where it leaves its given
beginning it goes on with the session that ran last. Every point after that beginning at which another session could
have gone on is the beginning of a schedule not yet seen, so no schedule is run twice and none is left out.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from proof.interleavings.scheduler import Choose, Course, Step

Run = Callable[[Choose], Awaitable[Course]]


class Bound(msgspec.Struct, frozen=True):
    """What limits an exploration; None where nothing does. `preemptions`: how often a schedule may leave a session that
    could have gone on. `schedules`: how many are run at most."""

    preemptions: int | None = None
    schedules: int | None = None


class Explored(msgspec.Struct):
    """How far an exploration came. `left`: beginnings that a bound kept from being run; 0 says that it is complete."""

    schedules: int = 0
    left: int = 0


async def explore(
    run: Run, bound: Bound, chance: random.Random, explored: Explored, *, first: Course | None = None
) -> AsyncIterator[Course]:
    """Run every schedule within the bound. Where their number is bounded, which ones are run is left to chance.

    `first` is the one in which the sessions run one after the other by number, if it was run before.
    """
    beginnings: list[tuple[int, ...]] = [()]
    while beginnings:
        if bound.schedules is not None and explored.schedules >= bound.schedules:
            explored.left += len(beginnings)
            return
        place = -1 if bound.schedules is None else chance.randrange(len(beginnings))
        beginnings[place], beginnings[-1] = beginnings[-1], beginnings[place]
        beginning = beginnings.pop()
        course = first if first is not None and not beginning else await run(follow(beginning))
        if course.choices[: len(beginning)] != beginning:
            raise Diverged(f"{beginning} was run as {course.choices}")
        explored.schedules += 1
        yield course
        for other in branches(course.steps, len(beginning)):
            if bound.preemptions is not None and preemptions(course.steps, other) > bound.preemptions:
                explored.left += 1
            else:
                beginnings.append(other)


def branches(steps: list[Step], start: int) -> list[tuple[int, ...]]:
    """The beginnings that differ from this schedule in their last choice, at `start` or later."""
    choices = tuple(step.who for step in steps)
    return [
        (*choices[:place], other)
        for place in range(start, len(steps))
        for other in steps[place].enabled
        if other != steps[place].who
    ]


def preemptions(steps: list[Step], beginning: tuple[int, ...]) -> int:
    """How often a beginning, which differs from these steps in its last choice alone, leaves one who could go on."""
    return sum(
        beginning[place] != beginning[place - 1] and beginning[place - 1] in steps[place].enabled
        for place in range(1, len(beginning))
    )


class Diverged(Exception):
    """A schedule could not be run again as it ran before."""


def follow(beginning: tuple[int, ...]) -> Choose:
    def choose(steps: list[Step], enabled: tuple[int, ...]) -> tuple[int, int | None]:
        done = len(steps)
        if done < len(beginning):
            who = beginning[done]
            if who not in enabled:
                raise Diverged(f"after {done} steps of {beginning} only {enabled} could go on")
            end = done
            while end < len(beginning) and beginning[end] == who:
                end += 1
            return who, end - done
        return (steps[-1].who if steps and steps[-1].who in enabled else enabled[0]), None

    return choose


def wander(chance: random.Random) -> Choose:
    """Any session that can go on, for any number of steps; few as a rule, and now and then to its end."""

    def choose(steps: list[Step], enabled: tuple[int, ...]) -> tuple[int, int | None]:
        return chance.choice(enabled), chance.choice((1, 1, 2, 3, 5, 8, 13, None))

    return choose
