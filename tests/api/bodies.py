"""Bodies that no endpoint may take, made from one that it takes."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

# By what a field is: values it may never have. A `Raw` goes into the JSON as it is written.
NUL = "a\x00b"


class Raw(str):
    """JSON text."""


_NUMBERS = [1, 1.5, -1, Raw("1e400"), 10**40]
_SPOILT: dict[str, list[Any]] = {
    "name": [*_NUMBERS, True, [], {}, "", "   ", NUL, "a\x07b", "a\nb", "x" * 201, Raw('"\\ud800"')],
    "id": [*_NUMBERS, True, [], {}, "", "nonsense", NUL, "0" * 4000, "00000000-0000-0000-0000-00000000000g"],
    "moment": [
        *_NUMBERS, True, [], {}, "", "tomorrow", NUL, "2031-05-01", "2031-05-01T19:30:00", "2031-13-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    ],
    "count": [1.5, 0, -1, 10**9 + 10**8, 2**31, 2**63, 2**64, 10**40, Raw("1e400"), True, "1", "x", [], {}, NUL],
    "object": [*_NUMBERS, True, "x", NUL, [], {"deep": [{"er": NUL}]}, {NUL: 1}, {"large": "x" * 20_000}],
    "labels": [
        *_NUMBERS, True, "S1", {}, [], [1], [None], [True], [["S1"]], [""], ["  "], [NUL], ["a\nb"], ["a\x7fb"],
        ["a\n"], ["x" * 65], ["S1", "x" * 65], ["x" * 10_000], [Raw('"\\ud800"')],
        [f"S{number}" for number in range(1001)],
    ],
    "choice": [*_NUMBERS, True, [], {}, "", "nonsense", NUL, "ON_SALE"],
    "email": [*_NUMBERS, True, [], {}, "", "  ", "ada", "ada@", "@example.org", "a b@example.org", NUL + "@b.org"],
    "password": [*_NUMBERS, True, [], {}, "", "1234567", "x" * 10_000],
    "role": [*_NUMBERS, True, [], {}],
    "reason": [*_NUMBERS, True, [], {}, NUL, "x" * 501, "a\nb", "a\n"],
}  # fmt: skip
_NOT_AN_OBJECT = [
    b"", b" ", b"null", b"true", b"1", b'"x"', b"[]", b"[{}]", b"{", b"{}}", b'{"a":}', b"\xff\xfe", b'{"a": "\xff"}',
    b"\x00", b"[" * 30_000, b'{"a":' * 10_000, b"NaN", b"'x'",
]  # fmt: skip


def spoilt(
    sound: dict[str, Any], *, optional: str = "", nullable: str = "", **kinds: str
) -> Iterator[tuple[str, bytes]]:
    """Pairs of what is wrong and the body. `kinds` says what each field is; `optional` and `nullable` are names."""
    for raw in _NOT_AN_OBJECT:
        yield f"the body {raw[:40]!r}", raw
    yield "an unknown field", _encode(sound | {"surprise": 1})
    yield "a field in another case", _encode({**sound, next(iter(kinds)).upper(): 1})
    for field, kind in kinds.items():
        if field not in optional.split():
            yield f"no {field}", _encode({name: value for name, value in sound.items() if name != field})
        if field not in nullable.split():
            yield f"{field} null", _encode(sound | {field: None})
        for value in _SPOILT[kind]:
            yield f"{field} {str(value)[:40]!r}", _encode(sound | {field: value})


def _encode(value: Any) -> bytes:
    return _text(value).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    match value:
        case Raw():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{_text(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_text, value)) + "]"
        case _:
            return json.dumps(value)


async def assert_refused(
    http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], bodies: Iterable[tuple[str, bytes]]
) -> None:
    """Each of these bodies must be answered with 400; all that are not are named at once."""

    async def status_of(what: str, body: bytes) -> tuple[str, int, str]:
        answer = await http.request(method, path, content=body, headers=headers | {"Content-Type": "application/json"})
        return what, answer.status_code, answer.text[:200]

    answers = [await status_of(what, body) for what, body in bodies]
    assert len(answers) > 10
    assert [answer for answer in answers if answer[1] != 400] == []
