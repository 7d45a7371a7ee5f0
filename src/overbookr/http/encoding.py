"""Which content encoding to answer in (RFC 9110 section 12.5.3)."""

from functools import lru_cache
from typing import Final

IDENTITY: Final = "identity"
# What we can encode, the best first.
ENCODINGS: Final = ("zstd", "br", "gzip")


# Clients have few ways to say it, and say it each time; what somebody makes up costs no more than its place here.
@lru_cache(maxsize=256)
def best_encoding(accept_encoding: bytes | None, offered: tuple[str, ...] = ENCODINGS) -> str:
    """The encoding that an Accept-Encoding likes most, of those offered; `identity` when it likes none of them."""
    if accept_encoding is None:
        return IDENTITY
    weights: dict[str, float] = {}
    for item in accept_encoding.decode("latin-1").split(","):
        name, _, parameter = item.partition(";")
        weights[name.strip().lower()] = _weight(parameter)
    liked = [(weights.get(name, weights.get("*", 0.0)), -rank, name) for rank, name in enumerate(offered)]
    weight, _, name = max(liked)
    # The plain body is always good, but only who prefers it or takes nothing else is given it.
    return name if weight > 0 and weight >= weights.get(IDENTITY, 0.0) else IDENTITY


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
