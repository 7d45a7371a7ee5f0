"""What a long time leaves behind: whether it became slower, and what grew."""

from typing import Any, Final

SLOWER_MAX: Final = 1.2
# Tables of rows that are only ever updated, which must not grow with what is written; the others keep what comes.
HOT_TABLES: Final = ("events", "seats")
BLOAT_MAX: Final = 3.0
# Less than this is a matter of a few pages.
BLOAT_BYTES: Final = 1_048_576


def judge(samples: list[dict[str, Any]]) -> list[str]:
    """What is wrong: the last third is slower than the first, or a hot table has grown although no row came to it."""
    third = max(1, len(samples) // 3)
    before, after = (sum(sample["rate"] for sample in part) / third for part in (samples[:third], samples[-third:]))
    faults = [f"{before / after:.2f} times slower at the end"] if after * SLOWER_MAX < before else []
    for name in HOT_TABLES:
        first, last = (_bytes_of(sample["tables"], name) for sample in (samples[0], samples[-1]))
        if last > first * BLOAT_MAX and last - first > BLOAT_BYTES:
            faults.append(f"{name} grew from {first:,} to {last:,} bytes, indexes included, and no row came to it")
    return faults


def _bytes_of(tables: dict[str, Any], name: str) -> int:
    """Of a table with its indexes."""
    return sum(table["bytes"] for table in tables.values() if table["of_table"] == name)


def growth_lines(samples: list[dict[str, Any]]) -> list[str]:
    """For a reader: how much each table has grown, of what, and how its updates went."""
    if not samples:
        return []
    first, last = samples[0]["tables"], samples[-1]["tables"]
    lines = []
    for name, table in last.items():
        if table["is_index"] or not (table["inserted"] or table["updated"]):
            continue
        came, grown = table["inserted"] - first[name]["inserted"], _bytes_of(last, name) - _bytes_of(first, name)
        updated = table["updated"] - first[name]["updated"]
        in_place = table["updated_in_place"] - first[name]["updated_in_place"]
        told = f"{name}: {grown / 1024:+,.0f} KiB, {came:,} rows came"
        told += f", {grown / came:,.0f} bytes each" if came else ""
        told += f", {updated:,} updates of which {100 * in_place / updated:.0f} % in place" if updated else ""
        lines.append(f"{told}; {table['dead']:,} dead at the end, {table['vacuums']} vacuums")
    return lines
