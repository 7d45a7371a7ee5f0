"""Puts a gate before every statement of the database's own functions, so that another session can be let in between.

A statement here is what takes a snapshot or a lock of its own. Control flow and arithmetic touch nothing that another
session could see and need no gate; neither do functions that are STABLE, IMMUTABLE or in SQL, because they run in the
statement that calls them and with its snapshot: the statement that calls them has the gate.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from overbookr.database.pool import Connection

_TOKEN = re.compile(
    r"(?P<skip>\s+|--[^\n]*|/\*.*?\*/|\#[^\n]*)|'(?:''|[^'])*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\w+|.", re.DOTALL
)
_TOUCHES = frozenset({"select", "insert", "update", "delete", "merge", "from", "execute", "lock", "clock_timestamp"})
_LABEL_LENGTH_MAX = 70

# By function, what to replace in its body and by what, one after the other.
Rewrite = Mapping[str, Sequence[tuple[str, str]]]

_FUNCTIONS = """
select p.oid, p.proname, p.prosrc, l.lanname, p.provolatile, pg_get_functiondef(p.oid) as definition
  from pg_proc p join pg_language l on l.oid = p.prolang
 where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype and p.prokind = 'f'
   and l.lanname in ('sql', 'plpgsql')
 order by p.proname
"""


class NotUnderstood(Exception):
    """A function's body has a construct that is not split here; its statements would go unseen."""


@dataclass(frozen=True)
class Statement:
    """`start` is its place in the body; `text` ends before its `;`, or is the head of an IF or of a loop."""

    start: int
    text: str


@dataclass(frozen=True)
class Gates:
    """What was instrumented: the label of each gate by its number, the functions that have gates, and those that run
    as one with the statement that calls them."""

    labels: dict[int, str]
    stepped: frozenset[str]
    whole: frozenset[str]


async def instrument(connection: Connection, *, rewrite: Rewrite | None = None) -> Gates:
    """Replace every volatile PL/pgSQL function of the database's public schema by one with gates.

    `rewrite` breaks functions on purpose before. Raises NotUnderstood where it does not fit.
    """
    rows = await connection.fetch(_FUNCTIONS)
    stepped = {row["proname"] for row in rows if row["lanname"] == "plpgsql" and row["provolatile"] == b"v"}
    whole = {row["proname"] for row in rows if row["provolatile"] != b"i"} - stepped
    labels: dict[int, str] = {}
    for row in rows:
        name, body, definition = row["proname"], row["prosrc"], row["definition"]
        changed = body
        for old, new in (rewrite or {}).get(name, ()):
            if old not in changed:
                raise NotUnderstood(f"{name} does not say {old!r}")
            changed = changed.replace(old, new)
        if name in stepped:
            changed = _with_gates(name, changed, whole, labels)
        if changed != body:
            await connection.execute(definition.replace(body, changed))
    return Gates(labels, frozenset(stepped), frozenset(whole))


def _with_gates(name: str, body: str, whole: set[str], labels: dict[int, str]) -> str:
    parts, done = [], 0
    for statement in statements(body):
        if not touches(statement.text, whole):
            continue
        number = len(labels) + 1
        labels[number] = f"{name}: {' '.join(statement.text.split())}"[:_LABEL_LENGTH_MAX]
        # An IF leaves FOUND and ROW_COUNT as they are, which PERFORM would not.
        parts += [body[done : statement.start], f"if proof.gate({number}) then end if; "]
        done = statement.start
    return "".join(parts) + body[done:]


def touches(text: str, whole: set[str]) -> bool:
    """Whether a statement reads or writes rows or reads the clock, by itself or by a function without gates."""
    words = {token.lower() for token, _ in _tokens(text)}
    return not words.isdisjoint(_TOUCHES) or not words.isdisjoint(whole)


def statements(body: str) -> list[Statement]:
    """The statements of a PL/pgSQL body in the order of the text, nested ones too. Raises NotUnderstood."""
    tokens = list(_tokens(body))
    words = [token.lower() for token, _ in tokens]
    found: list[Statement] = []

    def add(first: int, last: int) -> None:
        start = tokens[first][1]
        end = tokens[last][1] if last < len(tokens) else len(body)
        found.append(Statement(start, body[start:end]))

    place = words.index("begin") + 1
    while place < len(words):
        word = words[place]
        if word in ("begin", "else", "exception"):
            place += 1
        elif word == "declare":
            place = words.index("begin", place)
        elif word == "end":
            place = _find(words, place + 1, ";") + 1
        elif word in ("elsif", "elseif", "when"):
            place = _find(words, place + 1, "then") + 1
        elif word in ("if", "for", "foreach", "while", "loop"):
            last = place if word == "loop" else _find(words, place + 1, "then" if word == "if" else "loop")
            add(place, last)
            place = last + 1
        elif word in ("case", "<"):
            raise NotUnderstood(f"{word!r} begins a statement in: {body[tokens[place][1] :][:80]}")
        else:
            last = _find(words, place, ";")
            add(place, last)
            place = last + 1
    return found


def _find(words: list[str], place: int, wanted: str) -> int:
    """Where `wanted` is, outside of brackets and of CASE expressions; the end of the body counts as `;`."""
    depth = 0
    while place < len(words):
        word = words[place]
        if depth == 0 and word == wanted:
            return place
        if word in ("(", "[", "case"):
            depth += 1
        elif word in (")", "]") or (word == "end" and depth > 0):
            depth -= 1
        place += 1
    if wanted == ";":
        return place
    raise NotUnderstood(f"no {wanted!r} where one must be")


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    for match in _TOKEN.finditer(text):
        if match["skip"] is None:
            yield match[0], match.start()
