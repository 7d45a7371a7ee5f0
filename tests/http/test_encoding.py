"""Accept-Encoding as RFC 9110 has it, and as clients send it."""

import pytest

from overbookr.http.encoding import best_encoding


@pytest.mark.parametrize(
    ("accepted", "best"),
    [
        (None, "identity"),
        (b"", "identity"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip, deflate, br", "br"),
        (b"gzip", "gzip"),
        (b"GZIP;Q=0.5", "gzip"),
        (b"gzip;q=1.0, br;q=0.5", "gzip"),
        (b"gzip;q=0", "identity"),
        (b"*", "zstd"),
        (b"zstd;q=0, *", "br"),
        (b"identity", "identity"),
        (b"identity;q=1, gzip;q=0.5", "identity"),
        (b"deflate", "identity"),
        (b"gzip;q=much", "identity"),
        (b"gzip;q=nan", "identity"),
        (b"br;level=4", "br"),
        (b";;,,=,\xff", "identity"),
    ],
)
def test_the_best_encoding(accepted: bytes | None, best: str) -> None:
    assert best_encoding(accepted) == best
