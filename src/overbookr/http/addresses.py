"""From which address a request comes, when proxies may stand between."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from litestar.types import Scope

Network = IPv4Network | IPv6Network

# Who has one IPv6 address has all of its network, so they count as one.
_SITE_PREFIX: Final = 64
_FORWARDED_FOR: Final = b"x-forwarded-for"


def networks_of(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas. Raises ValueError naming what is neither."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


class ClientAddresses:
    """X-Forwarded-For is read only when the peer is one of the `trusted` proxies, since anybody can write it.

    Each proxy adds the address of its own peer on the right. What stands left of the first address that is no proxy of
    ours was written by that client, and means nothing.
    """

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._parse = lru_cache(maxsize=4096)(self._examine)

    def of(self, scope: Scope) -> str:
        """What a client's requests are counted by: its IPv4 address, or the /64 network of its IPv6 address."""
        client = scope.get("client")
        peer = str(client[0]) if client else "unknown"
        key, is_trusted = self._parse(peer)
        if not is_trusted:
            return key
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED_FOR]
        for part in reversed(",".join(values).split(",")):
            named, is_trusted = self._parse(part.strip())
            if not named:
                # What is no address was not written by a proxy of ours; the last one that was is as far as we know.
                break
            key = named
            if not is_trusted:
                break
        return key

    def _examine(self, text: str) -> tuple[str, bool]:
        """What an address is counted by, "" for what is none, and whether it is a trusted proxy's."""
        address = _address_of(text)
        if address is None:
            return (text if text == "unknown" else ""), False
        is_trusted = any(address in network for network in self._trusted)
        if address.version == 4:
            return str(address), is_trusted
        return str(ip_network((int(address), _SITE_PREFIX), strict=False)), is_trusted


def _address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Some proxies write the port as well."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if address.version == 6 and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
