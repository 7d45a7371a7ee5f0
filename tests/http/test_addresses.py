"""From whom a request comes, and whom a client can pretend to be."""

from ipaddress import ip_network
from typing import Any

import pytest

from overbookr.http.addresses import ClientAddresses, networks_of
from overbookr.settings import Settings

PROXY, BALANCER = "10.0.0.1", "192.168.7.9"
TRUSTED = ClientAddresses(networks_of("10.0.0.0/8, 192.168.7.9"))


def seen(addresses: ClientAddresses, peer: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope: Any = {"client": (peer, 5000), "headers": [(b"host", b"x"), *headers, (b"forwarded", b"for=9.9.9.9")]}
    return addresses.of(scope)


def test_without_trusted_proxies_forwarded_headers_are_not_believed() -> None:
    assert seen(ClientAddresses(), PROXY, "1.2.3.4") == PROXY
    nobody: Any = {"client": None, "headers": []}
    assert ClientAddresses().of(nobody) == "unknown"


def test_a_peer_that_is_no_trusted_proxy_speaks_for_itself() -> None:
    assert seen(TRUSTED, "8.8.8.8", "1.2.3.4") == "8.8.8.8"
    assert seen(TRUSTED, "8.8.8.8", "1.2.3.4, 10.0.0.1") == "8.8.8.8"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (["1.2.3.4"], "1.2.3.4"),
        # What stands further left was written by the client.
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["10.9.9.9, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4, 192.168.7.9"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4, 192.168.7.9, 10.2.3.4"], "1.2.3.4"),
        # Several headers are one list, in their order.
        (["6.6.6.6", "1.2.3.4", "192.168.7.9"], "1.2.3.4"),
        # Nobody but our own proxies: the one that is furthest away.
        (["10.2.3.4, 192.168.7.9"], "10.2.3.4"),
        # What is no address was written by no proxy of ours.
        (["1.2.3.4, nonsense"], PROXY),
        (["1.2.3.4, nonsense, 192.168.7.9"], BALANCER),
        (["1.2.3.4,"], PROXY),
        (["unknown"], "unknown"),
        ([""], PROXY),
        ([], PROXY),
        (["\x00\xff"], PROXY),
        (["1.2.3.4:5678"], "1.2.3.4"),
        (["[2001:db8::7]:443"], "2001:db8::/64"),
        (["2001:db8::7"], "2001:db8::/64"),
        (["2001:db8::1:2:3:4"], "2001:db8::/64"),
        (["2001:db8:0:1::7"], "2001:db8:0:1::/64"),
        (["fe80::1%eth0"], "fe80::/64"),
        (["::ffff:1.2.3.4"], "1.2.3.4"),
    ],
)
def test_the_rightmost_address_that_is_no_proxy_of_ours(forwarded: list[str], expected: str) -> None:
    assert seen(TRUSTED, PROXY, *forwarded) == expected


def test_a_client_cannot_get_rid_of_its_address() -> None:
    """Whatever a client writes, the proxy adds where it came from on the right."""
    for written in ("", "5.5.5.5", "10.0.0.7", ",,,", "1" * 5000, "a, b, c", "[::1", "5.5.5.5 10.0.0.1"):
        assert seen(TRUSTED, PROXY, f"{written}, 8.8.4.4") == "8.8.4.4"
        assert seen(TRUSTED, PROXY, written, "8.8.4.4") == "8.8.4.4"


def test_a_proxy_is_known_however_its_address_is_written() -> None:
    addresses = ClientAddresses(networks_of("2001:db8::1,10.0.0.1"))
    assert seen(addresses, "2001:0db8:0:0::1", "1.2.3.4") == "1.2.3.4"
    assert seen(addresses, "::ffff:10.0.0.1", "1.2.3.4") == "1.2.3.4"
    assert seen(addresses, "2001:db8::2", "1.2.3.4") == "2001:db8::/64"


def test_the_list_of_proxies() -> None:
    assert networks_of("") == ()
    assert networks_of(" 10.0.0.0/8 ,::1") == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert Settings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies
    for wrong in ("proxy.example", "10.0.0.1/8", "*", "10.0.0.256"):
        with pytest.raises(ValueError, match="trusted_proxies"):
            Settings(trusted_proxies=wrong)
