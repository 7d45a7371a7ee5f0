"""The built pages in memory: each file as it is, and as it was compressed when the pages were built."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

from overbookr.http.encoding import IDENTITY, best_encoding
from overbookr.http.etag import make_etag

# What the build has compressed, the smallest first, by the ending that it gives.
ENDINGS: Final[Mapping[str, str]] = {"br": ".br", "gzip": ".gz"}
MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class BuiltFile(msgspec.Struct, frozen=True):
    """`bodies` by encoding, the plain one always among them."""

    media_type: str
    etag: str
    bodies: dict[str, bytes]

    def rendition(self, accept_encoding: bytes | None) -> tuple[bytes, dict[str, str]]:
        """A body that the client takes, and the headers that belong to it."""
        encoding = best_encoding(accept_encoding, tuple(ENDINGS))
        if encoding not in self.bodies:
            encoding = IDENTITY
        headers = {"Vary": "Accept-Encoding"} if len(self.bodies) > 1 else {}
        if encoding != IDENTITY:
            headers["Content-Encoding"] = encoding
        return self.bodies[encoding], headers


def read_built_files() -> dict[str, BuiltFile]:
    """Everything that was built, by its path; nothing when nothing was. Files of other kinds are not served."""
    built = resources.files(__package__).joinpath("built")
    return dict(_read_folder(built, "")) if built.is_dir() else {}


def _read_folder(folder: Traversable, path: str) -> Iterator[tuple[str, BuiltFile]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read_folder(entry, f"{path}{entry.name}/")
        elif (read := _read(entry)) is not None:
            yield f"{path}{entry.name}", read


def _read(file: Traversable) -> BuiltFile | None:
    name, dot, ending = file.name.rpartition(".")
    media_type = MEDIA_TYPES.get(dot + ending)
    if media_type is None or not name:
        return None
    body = file.read_bytes()
    bodies = {IDENTITY: body}
    with resources.as_file(file) as path:
        for encoding, suffix in ENDINGS.items():
            compressed = path.with_name(path.name + suffix)
            if compressed.exists():
                bodies[encoding] = compressed.read_bytes()
    return BuiltFile(media_type, make_etag(hashlib.sha256(body).hexdigest()[:24]), bodies)
