"""The shape of a seating plan file (pretix's public JSON format), and the reading of it, good or bad.

Members that are not listed here are ignored: real files carry identifiers and drawing hints of their editors.
"""

import json
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from overbookr.seats.plan_problems import Path, PlanRefused, Problems, member_text, refused

_DEFAULT_COLOUR = "#7a869a"
_KINDS = {NoneType: "null", bool: "true or false", str: "text", list: "a list", dict: "an object"}
# Integers beyond it do not fit a float.
_NUMBER_MAX = 1 << 1023


class FilePoint(msgspec.Struct, frozen=True, gc=False):
    x: float
    y: float


_ORIGIN = FilePoint(0.0, 0.0)


class FileSize(msgspec.Struct, frozen=True):
    width: float
    height: float


class FileCategory(msgspec.Struct, frozen=True):
    name: str
    color: str = _DEFAULT_COLOUR


class FileSeat(msgspec.Struct, frozen=True, gc=False):
    seat_number: str
    seat_guid: str
    position: FilePoint
    category: str


class FileRow(msgspec.Struct, frozen=True):
    row_number: str
    seats: list[FileSeat]
    position: FilePoint = _ORIGIN


class FileText(msgspec.Struct, frozen=True):
    text: str
    position: FilePoint = _ORIGIN
    color: str = "#333333"
    size: float = 16.0


class FileCircle(msgspec.Struct, frozen=True):
    radius: float


class FileEllipse(msgspec.Struct, frozen=True):
    radius: FilePoint


class FileRectangle(msgspec.Struct, frozen=True):
    width: float
    height: float


class FilePolygon(msgspec.Struct, frozen=True):
    points: list[FilePoint]


class FileArea(msgspec.Struct, frozen=True):
    shape: str
    position: FilePoint = _ORIGIN
    color: str = "transparent"
    border_color: str = "transparent"
    rotation: float = 0.0
    text: FileText | None = None
    circle: FileCircle | None = None
    ellipse: FileEllipse | None = None
    rectangle: FileRectangle | None = None
    polygon: FilePolygon | None = None


class FileZone(msgspec.Struct, frozen=True):
    position: FilePoint
    rows: list[FileRow]
    name: str = ""
    areas: list[FileArea] = []


class PlanFile(msgspec.Struct, frozen=True):
    name: str
    categories: list[FileCategory]
    size: FileSize
    zones: list[FileZone]


Shape = TypeVar("Shape", bound=msgspec.Struct)


def decode(raw: bytes) -> dict[str, Any] | PlanRefused:
    """The JSON object in the file, or the refusal with the line and column at which it stops being JSON."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        document = msgspec.json.decode(raw)
    except RecursionError:
        return refused("The file is nested too deeply to be a seating plan.")
    except ValueError:
        # The slower reader knows lines and columns, and lets infinities through, which deserve a complaint about their
        # own place and not about the whole file.
        document = _decode_slowly(raw)
    if isinstance(document, PlanRefused):
        return document
    if not isinstance(document, dict):
        return refused(f"The file must hold a JSON object, but holds {_kind_of(document)}.")
    return document


def read_plan_file(document: dict[str, Any], problems: Problems) -> PlanFile:
    """The plan in its shape; what has the wrong shape is reported and left blank, and the rest is read all the same."""
    return _read_object(document, PlanFile, (), problems)


def count_seats(document: dict[str, Any]) -> int:
    """How many seats the document lists, whatever its shape."""
    return sum(len(_list_in(row, "seats")) for zone in _list_in(document, "zones") for row in _list_in(zone, "rows"))


def _list_in(value: object, member: str) -> list[Any]:
    found = value.get(member) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _decode_slowly(raw: bytes) -> object:
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return refused(f"The file is not UTF-8 text: {_place(raw[: error.start].decode('utf-8'))}.")
    except json.JSONDecodeError as error:
        return refused(f"The file is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.")
    except RecursionError:
        return refused("The file is nested too deeply to be a seating plan.")
    except ValueError:
        return refused("The file contains a number of too many digits.")


def _place(text_before: str) -> str:
    return f"line {text_before.count(chr(10)) + 1}, column {len(text_before) - text_before.rfind(chr(10))}"


def _read_object(value: Any, shape: type[Shape], path: Path, problems: Problems) -> Shape:
    try:
        return msgspec.convert(value, shape)
    except ValueError:
        # Only the first mistake is known now; looking member by member finds them all. It is mostly a ValidationError,
        # but text that is no Unicode (a lone surrogate) makes msgspec raise other kinds.
        pass
    if not isinstance(value, dict):
        problems.add(path, f"{member_text(path)} must be an object, but is {_kind_of(value)}.")
        blank: Shape = _blank(shape)
        return blank
    members: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        here = (*path, field.encode_name)
        if field.encode_name in value:
            members[field.name] = _read_member(value[field.encode_name], field.type, here, problems)
        elif field.required:
            problems.add(here, f"{member_text(here)} is missing.")
            members[field.name] = _blank(field.type)
    return shape(**members)


def _read_member(value: Any, kind: Any, path: Path, problems: Problems) -> Any:
    if get_origin(kind) in (Union, UnionType):
        return None if value is None else _read_member(value, _without_none(kind), path, problems)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            problems.add(path, f"{member_text(path)} must be a list, but is {_kind_of(value)}.")
            return []
        items = []
        for index, item in enumerate(value):
            if problems.full:
                break
            items.append(_read_member(item, get_args(kind)[0], (*path, index), problems))
        return items
    if issubclass(kind, msgspec.Struct):
        return _read_object(value, kind, path, problems)
    try:
        return msgspec.convert(value, kind)
    except ValueError:
        wanted = "text" if kind is str else "a number"
        problems.add(path, f"{member_text(path)} must be {wanted}, but is {_kind_of(value)}.")
        return _blank(kind)


def _without_none(kind: Any) -> Any:
    return next(option for option in get_args(kind) if option is not NoneType)


def _blank(kind: Any) -> Any:
    """A stand-in of the right type. Its place has been reported, so no later check can complain about it."""
    if get_origin(kind) in (Union, UnionType):
        return None
    if get_origin(kind) is list:
        return []
    if issubclass(kind, msgspec.Struct):
        return kind(**{field.name: _blank(field.type) for field in msgspec.structs.fields(kind) if field.required})
    return kind()


def _kind_of(value: object) -> str:
    if isinstance(value, int) and abs(value) >= _NUMBER_MAX:
        return "a number too large"
    return _KINDS.get(type(value), "a number")
