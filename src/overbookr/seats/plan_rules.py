"""What a seating plan of the right shape must keep to before its seats can be sold."""

from overbookr.seats.colours import is_colour
from overbookr.seats.plan_file import FileArea, FileCategory, FilePoint, FileRow, FileSeat, FileZone, PlanFile
from overbookr.seats.plan_problems import UNPRINTABLE, Path, Problems, member_text, path_text, quoted

SEATS_MAX = 100_000
SEAT_NO_CHARACTERS_MAX = 64
NAME_CHARACTERS_MAX = 200
GUID_CHARACTERS_MAX = 255
COORDINATE_MAX = 1_000_000.0

SHAPES = ("polygon", "rectangle", "ellipse", "circle", "text")


def check_plan(plan: PlanFile, problems: Problems) -> None:
    """Add every breach of the rules to the problems, until they are full."""
    _check_text(plan.name, "name", NAME_CHARACTERS_MAX, ("name",), problems)
    for side, length in (("width", plan.size.width), ("height", plan.size.height)):
        if not 0 < length <= COORDINATE_MAX:
            problems.add(("size", side), f"size.{side} must be above 0 and at most 1,000,000, but is {length:g}.")
    _check_categories(plan.categories, problems)
    seats = _SeatRules(plan, problems)
    for zone_index, zone in enumerate(plan.zones):
        if problems.full:
            return
        _check_zone(zone, ("zones", zone_index), seats, problems)


def seat_label(zone: FileZone, row: FileRow, seat: FileSeat) -> str:
    return f"{zone.name.strip()}-{row.row_number.strip()}-{seat.seat_number.strip()}"


def _check_categories(categories: list[FileCategory], problems: Problems) -> None:
    first: dict[str, Path] = {}
    for index, category in enumerate(categories):
        path: Path = ("categories", index)
        here = (*path, "name")
        name = category.name.strip()
        if not is_colour(category.color):
            _refuse_colour(category.color, (*path, "color"), problems)
        if not _check_label(name, "name", NAME_CHARACTERS_MAX, here, problems):
            continue
        if name in first:
            problems.add(here, f"another category has the same name: {path_text(first[name])}.")
        else:
            first[name] = path


def _check_zone(zone: FileZone, path: Path, seats: "_SeatRules", problems: Problems) -> None:
    _check_position(zone.position, path, problems)
    # The shortest seat_no of a zone is its name and "-r-s"; a name too long for that is one problem, not one a seat.
    longest = SEAT_NO_CHARACTERS_MAX - len("-r-s")
    # A zone that only draws areas, such as the stage, needs no name; one that has seats does.
    is_named = not any(row.seats for row in zone.rows) or _check_label(
        zone.name.strip(), "name", longest, (*path, "name"), problems
    )
    for row_index, row in enumerate(zone.rows):
        if problems.full:
            return
        here: Path = (*path, "rows", row_index)
        _check_position(row.position, here, problems)
        if not row.seats:
            continue
        left = longest + len("r") - (len(zone.name.strip()) if is_named else 0)
        is_numbered = _check_label(row.row_number.strip(), "row_number", left, (*here, "row_number"), problems)
        for seat_index, seat in enumerate(row.seats):
            seat_path = (*here, "seats", seat_index)
            seats.check(seat, seat_path)
            if is_named and is_numbered:
                _check_seat_no(seat_label(zone, row, seat), (*seat_path, "seat_number"), problems)
    for area_index, area in enumerate(zone.areas):
        _check_area(area, (*path, "areas", area_index), problems)


def _check_seat_no(label: str, path: Path, problems: Problems) -> None:
    if len(label) > SEAT_NO_CHARACTERS_MAX:
        problems.add(
            path, f"its label {quoted(label)} has {len(label)} characters, {SEAT_NO_CHARACTERS_MAX} are allowed."
        )


class _SeatRules:
    """The rules for a seat, with what it takes to compare it with the seats before it."""

    def __init__(self, plan: PlanFile, problems: Problems) -> None:
        self._problems = problems
        self._first_with_guid: dict[str, Path] = {}
        self._categories = {category.name.strip() for category in plan.categories}
        # When a category has no name that could be read, a seat that names it is not to blame.
        self._knows_categories = "" not in self._categories and not problems.knows(("categories",))

    def check(self, seat: FileSeat, path: Path) -> None:
        problems = self._problems
        _check_position(seat.position, path, problems)
        _check_label(seat.seat_number.strip(), "seat_number", SEAT_NO_CHARACTERS_MAX, (*path, "seat_number"), problems)
        guid = seat.seat_guid
        first = self._first_with_guid.setdefault(guid, path)
        is_sound = _check_label(guid, "seat_guid", GUID_CHARACTERS_MAX, (*path, "seat_guid"), problems)
        if is_sound and first is not path:
            problems.add(
                (*path, "seat_guid"),
                f"seat_guid {quoted(guid)} is already that of {problems.words(first)} ({path_text(first)}).",
            )
        if seat.category.strip() not in self._categories and self._knows_categories:
            problems.add((*path, "category"), f"category {quoted(seat.category)} is not in the plan's categories.")


def _check_area(area: FileArea, path: Path, problems: Problems) -> None:
    _check_position(area.position, path, problems)
    for member, colour in (("color", area.color), ("border_color", area.border_color)):
        if not is_colour(colour):
            _refuse_colour(colour, (*path, member), problems)
    _check_number(area.rotation, -COORDINATE_MAX, (*path, "rotation"), problems)
    if area.shape not in SHAPES:
        problems.add((*path, "shape"), f"shape must be one of {', '.join(SHAPES)}, but is {quoted(area.shape)}.")
    elif getattr(area, area.shape) is None:
        problems.add((*path, area.shape), f"an area of shape {area.shape} needs the member {area.shape}.")
    if area.circle is not None:
        _check_number(area.circle.radius, 0.0, (*path, "circle", "radius"), problems)
    if area.ellipse is not None:
        _check_number(area.ellipse.radius.x, 0.0, (*path, "ellipse", "radius", "x"), problems)
        _check_number(area.ellipse.radius.y, 0.0, (*path, "ellipse", "radius", "y"), problems)
    if area.rectangle is not None:
        _check_number(area.rectangle.width, 0.0, (*path, "rectangle", "width"), problems)
        _check_number(area.rectangle.height, 0.0, (*path, "rectangle", "height"), problems)
    if area.polygon is not None:
        for index, point in enumerate(area.polygon.points):
            _check_point(point, (*path, "polygon", "points", index), problems)
    if area.text is not None:
        here = (*path, "text")
        _check_position(area.text.position, here, problems)
        _check_number(area.text.size, 0.0, (*here, "size"), problems)
        # A caption may have several lines.
        caption = area.text.text.translate({9: " ", 10: " ", 13: " "})
        _check_text(caption, "text", NAME_CHARACTERS_MAX, (*here, "text"), problems)
        if not is_colour(area.text.color):
            _refuse_colour(area.text.color, (*here, "color"), problems)


def _check_label(text: str, member: str, longest: int, path: Path, problems: Problems) -> bool:
    """Whether the text is sound: not empty, not too long, printable, and not reported before."""
    if text and len(text) <= longest and text.isprintable():
        return True
    if not text.strip():
        problems.add(path, f"{member} is empty.")
        return False
    return _check_text(text, member, longest, path, problems)


def _check_text(text: str, member: str, longest: int, path: Path, problems: Problems) -> bool:
    if len(text) > longest:
        problems.add(path, f"{member} {quoted(text)} has {len(text)} characters, {longest} are allowed here.")
        return False
    unprintable = UNPRINTABLE.search(text)
    if unprintable:
        problems.add(path, f"{member} {quoted(text)} contains a control character (U+{ord(unprintable.group()):04X}).")
        return False
    return True


def _check_position(position: FilePoint, path: Path, problems: Problems) -> None:
    _check_point(position, (*path, "position"), problems)


def _check_point(point: FilePoint, path: Path, problems: Problems) -> None:
    for axis, value in (("x", point.x), ("y", point.y)):
        _check_number(value, -COORDINATE_MAX, (*path, axis), problems)


def _check_number(value: float, least: float, path: Path, problems: Problems) -> None:
    # Written so that NaN fails it too.
    if not least <= value <= COORDINATE_MAX:
        problems.add(
            path, f"{member_text(path)} must be between {least:,.0f} and {COORDINATE_MAX:,.0f}, but is {value:g}."
        )


def _refuse_colour(colour: str, path: Path, problems: Problems) -> None:
    problems.add(path, f"{member_text(path)} must be #rgb, #rrggbb or a CSS colour name, but is {quoted(colour)}.")
