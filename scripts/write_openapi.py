"""Write the description of the API as it is in this checkout, without a server and a database.

    python scripts/write_openapi.py FILE

The types of the pages' client are made from it, so that pages which no longer fit the API do not build.
"""

import sys
from pathlib import Path

import msgspec
from litestar import Litestar

from overbookr.http.description import describe
from overbookr.main import OPENAPI, ROUTES


def main() -> None:
    document = describe(Litestar(route_handlers=ROUTES, openapi_config=OPENAPI))
    Path(sys.argv[1]).write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


if __name__ == "__main__":
    main()
