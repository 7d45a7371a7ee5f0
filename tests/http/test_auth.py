"""Forged tokens, revocation, and the policies of routes."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import httpx
import jwt
import pytest
from litestar import Litestar, get
from litestar.openapi import OpenAPIConfig
from litestar.router import Router

from overbookr.http.auth import (
    ASKED_BY_COMMAND,
    AUDIENCE,
    ISSUER,
    TOKEN_TYPE,
    TOKEN_USE,
    PolicyMissing,
    Principal,
    TokenVerifier,
    check_policies,
)
from overbookr.users.tokens import issue_access

pytestmark = pytest.mark.anyio

USER = uuid.UUID("018f3c1e-0000-7000-8000-000000000001")
RSA_PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK0=\n-----END PUBLIC KEY-----\n"


def encode(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(USER),
        "jti": uuid.uuid4().hex,
        "typ": TOKEN_USE,
        "iat": now,
        "exp": now + 600,
        "ver": 1,
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def sign(
    key: bytes, *, header: dict[str, Any] | None = None, digest: str = "sha256", payload: Any = None, **changes: Any
) -> str:
    """A token put together by hand, so that no library's caution stands in an attacker's way."""
    head = {"alg": "HS256", "typ": TOKEN_TYPE} | (header or {})
    body = f"{encode(head)}.{encode(claims(**changes) if payload is None else payload)}"
    return f"{body}.{encode(hmac.new(key, body.encode(), digest).digest())}"


def forgeries(key: bytes) -> dict[str, str]:
    """What an attacker might send, by what is wrong with it."""
    return forged_signatures(key) | forged_claims(key) | broken_tokens(key)


def forged_signatures(key: bytes) -> dict[str, str]:
    _, body, signature = sign(key).split(".")
    no_key = {"kid": "../../dev/null"}
    return {
        "alg none, no signature": f"{encode({'alg': 'none', 'typ': TOKEN_TYPE})}.{body}.",
        "alg none, kept signature": f"{encode({'alg': 'none', 'typ': TOKEN_TYPE})}.{body}.{signature}",
        "alg None": f"{encode({'alg': 'None', 'typ': TOKEN_TYPE})}.{body}.",
        "alg absent": f"{encode({'typ': TOKEN_TYPE})}.{body}.{signature}",
        "alg HS384": sign(key, header={"alg": "HS384"}, digest="sha384"),
        "alg HS512": sign(key, header={"alg": "HS512"}, digest="sha512"),
        "alg HS384 with a short digest": sign(key, header={"alg": "HS384"}),
        "alg RS256, signed with HMAC": sign(key, header={"alg": "RS256"}),
        "public key as HMAC key": sign(RSA_PUBLIC.encode()),
        "wrong secret": sign(b"x" * 48),
        "empty secret": sign(b""),
        "secret with a byte more": sign(key + b"x"),
        "kid of an empty file": sign(b"", header=no_key),
        "kid with SQL": sign(b"x", header={"kid": "' union select 'x"}),
        "jwk in the header": sign(b"x" * 32, header={"jwk": {"kty": "oct", "k": encode(b"x" * 32)}}),
        "jku in the header": sign(b"x" * 32, header={"jku": "http://127.0.0.1/jwks.json"}),
        "x5u in the header": sign(b"x" * 32, header={"x5u": "http://127.0.0.1/x.pem"}),
        "crit that nobody knows": sign(key, header={"crit": ["exp"], "b64": False}),
        "header typ JWT": sign(key, header={"typ": "JWT"}),
        "header typ absent": sign(key, header={"typ": None}),
    }


def forged_claims(key: bytes) -> dict[str, str]:
    now = int(time.time())
    return {
        "wrong aud": sign(key, aud="another service"),
        "aud absent": sign(key, aud=None),
        "aud list": sign(key, aud=[AUDIENCE, "another service"]),
        "wrong iss": sign(key, iss="somebody"),
        "iss absent": sign(key, iss=None),
        "sub absent": sign(key, sub=None),
        "sub no uuid": sign(key, sub="admin"),
        "sub in another spelling": sign(key, sub=USER.hex),
        "sub a number": sign(key, sub=1),
        "jti absent": sign(key, jti=None),
        "typ of a refresh token": sign(key, typ="refresh"),
        "typ absent": sign(key, typ=None),
        "iat absent": sign(key, iat=None),
        "iat in the future": sign(key, iat=now + 3600, exp=now + 7200),
        "iat a text": sign(key, iat=str(now)),
        "exp absent": sign(key, exp=None),
        "exp a second ago": sign(key, exp=now - 1),
        "exp long ago": sign(key, iat=now - 7200, exp=now - 3600),
        "exp a text": sign(key, exp=str(now + 600)),
        "exp infinite": sign(key, exp=float("inf")),
        "exp true": sign(key, exp=True),
        "exp half a second": sign(key, exp=now + 600.5),
        "nbf in the future": sign(key, nbf=now + 3600),
        "ver absent": sign(key, ver=None),
        "ver of long ago": sign(key, ver=0),
        "ver a text": sign(key, ver="1"),
        "ver true": sign(key, ver=True),
        "a claim for the role instead": sign(key, ver=2, role="admin"),
    }


def broken_tokens(key: bytes) -> dict[str, str]:
    good = sign(key)
    head, body, signature = good.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other_spelling = signature[:-1] + last[last.index(signature[-1]) + 1]
    changed_body = encode(claims(sub=str(uuid.uuid4())))
    return {
        "body of another user": f"{head}.{changed_body}.{signature}",
        "body a list": sign(key, payload=[1]),
        "body no JSON": sign(key, payload=b"nope"),
        "body nested without end": sign(key, payload=b"[" * 700),
        "trailing dot": good + ".",
        "trailing part": good + ".e30",
        "trailing letter": good + "A",
        "trailing padding": good + "=",
        "trailing junk that decoders skip": good + "!",
        "trailing blank": good + " x",
        "another spelling of the signature": f"{head}.{body}.{other_spelling}",
        "signature cut": good[:-1],
        "signature absent": f"{head}.{body}.",
        "no dots": "a" * 120,
        "only dots": "..",
        "endless": "a" * 6000,
        "unprintable": "\u00ff\u00fe",
    }


async def test_a_genuine_token_works(client: httpx.AsyncClient, standings: Any, secret: bytes) -> None:
    standings.known[USER] = (1, "user")
    for token in (sign(secret), issue_access(secret, USER, 1, 60)):
        answer = await client.get("/mine", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert (await client.get("/mine", headers={"authorization": f"bEARER {token}"})).status_code == 200


async def test_no_forged_token_works(client: httpx.AsyncClient, standings: Any, secret: bytes) -> None:
    standings.known[USER] = (1, "admin")
    accepted = []
    for name, token in forgeries(secret).items():
        header = {b"Authorization": b"Bearer " + token.encode("latin-1")}
        answer = await client.get("/mine", headers=header)
        if answer.status_code != 401:
            accepted.append((name, answer.status_code))
            continue
        assert answer.json()["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert (await client.get("/whoami", headers=header)).json() == {"user": None}, name
    assert accepted == []


async def test_other_ways_to_send_a_token_do_not_count(
    client: httpx.AsyncClient, standings: Any, secret: bytes
) -> None:
    standings.known[USER] = (1, "user")
    token = sign(secret)
    for header in (token, f"Token {token}", f"Basic {token}", f"Bearer  {token}", f"Bearer,{token}", "Bearer"):
        assert (await client.get("/mine", headers={"Authorization": header})).status_code == 401, header
    assert (await client.get(f"/mine?access_token={token}&token={token}")).status_code == 401
    assert (await client.get("/mine", headers={"Cookie": f"token={token}"})).status_code == 401
    answer = await client.get("/mine")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_policies(client: httpx.AsyncClient, standings: Any, secret: bytes) -> None:
    header = {"Authorization": f"Bearer {sign(secret)}"}
    standings.known[USER] = (1, "user")
    assert (await client.get("/mine", headers=header)).json() == {"role": "user"}
    answer = await client.get("/admin", headers=header)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await client.get("/whoami", headers=header)).json() == {"user": str(USER)}
    assert (await client.get("/whoami")).json() == {"user": None}
    assert (await client.get("/admin")).status_code == 401


async def test_role_and_revocation_count_from_the_next_request(
    client: httpx.AsyncClient, standings: Any, secret: bytes
) -> None:
    header = {"Authorization": f"Bearer {sign(secret)}"}
    standings.known[USER] = (1, "admin")
    assert (await client.get("/admin", headers=header)).status_code == 200
    standings.known[USER] = (1, "user")
    assert (await client.get("/admin", headers=header)).status_code == 403
    standings.known[USER] = (2, "admin")
    assert (await client.get("/admin", headers=header)).status_code == 401
    assert (await client.get("/whoami", headers=header)).json() == {"user": None}
    del standings.known[USER]
    assert (await client.get("/mine", headers=header)).status_code == 401


async def test_a_route_that_reads_no_principal_costs_no_read(
    client: httpx.AsyncClient, standings: Any, secret: bytes
) -> None:
    standings.known[USER] = (1, "user")
    answer = await client.get("/public", headers={"Authorization": f"Bearer {sign(secret)}"})
    assert answer.json() == {"known": False}
    assert standings.asked == 0


async def test_a_route_whose_command_asks_for_the_standing_costs_no_read(
    application: Litestar, client: httpx.AsyncClient, standings: Any, secret: bytes
) -> None:
    application.state.token_version = 1
    answer = await client.get("/command", headers={"Authorization": f"Bearer {sign(secret)}"})
    assert answer.json() == {"role": None}
    assert standings.asked == 0
    assert (await client.get("/command")).status_code == 401
    assert (await client.get("/command", headers={"Authorization": "Bearer forged"})).status_code == 401
    assert application.state.commands == 1


async def test_a_token_that_a_command_was_refused_for_is_refused_at_once_from_then_on(
    application: Litestar, client: httpx.AsyncClient, secret: bytes
) -> None:
    application.state.token_version = 2
    old, new = ({"Authorization": f"Bearer {sign(secret, ver=version)}"} for version in (1, 2))
    for _ in range(3):
        answer = await client.get("/command", headers=old)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert application.state.commands == 1
    assert (await client.get("/command", headers=new)).status_code == 200


def test_a_role_that_nobody_has_asked_for_is_not_taken_for_none() -> None:
    with pytest.raises(RuntimeError, match="role"):
        _ = Principal(USER, None, 1).is_admin


def test_verified_tokens_are_remembered_until_they_expire(secret: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = TokenVerifier(secret)
    token = sign(secret).encode()
    first = verifier.verify(token)
    assert first is not None
    monkeypatch.setattr(jwt, "decode_complete", None)
    assert verifier.verify(token) is first
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    assert verifier.verify(token) is None


def test_the_memory_of_tokens_is_bounded(secret: bytes) -> None:
    verifier = TokenVerifier(secret, remember=10)
    tokens = [sign(secret).encode() for _ in range(30)]
    assert all(verifier.verify(token) is not None for token in tokens)
    assert len(verifier._good) == 10
    assert all(verifier.verify(token) is not None for token in tokens)


def test_a_route_without_a_policy_keeps_the_application_from_starting(application: Litestar) -> None:
    check_policies(application)

    @get("/forgotten")
    async def forgotten() -> None: ...

    @get("/misspelt", opt={"policy": "users"})
    async def misspelt() -> None: ...

    with pytest.raises(PolicyMissing, match=r"/forgotten.*/misspelt"):
        check_policies(Litestar([forgotten, misspelt], openapi_config=None, logging_config=None))


@pytest.mark.parametrize(
    "opt",
    [
        {"policy": "admin", "standing": ASKED_BY_COMMAND},
        {"policy": "anyone", "standing": ASKED_BY_COMMAND},
        {"policy": "user", "standing": "asked by whoever comes"},
    ],
)
def test_a_route_that_never_learns_the_role_it_needs_is_not_served(opt: dict[str, str]) -> None:
    @get("/unasked", opt=opt)
    async def unasked() -> None: ...

    with pytest.raises(PolicyMissing, match="/unasked"):
        check_policies(Litestar([unasked], openapi_config=None, logging_config=None))


def test_the_documentation_needs_a_policy_too() -> None:
    def app(opt: dict[str, str]) -> Litestar:
        config = OpenAPIConfig(title="t", version="1", openapi_router=Router("/schema", route_handlers=[], opt=opt))
        return Litestar([], openapi_config=config, logging_config=None)

    check_policies(app({"policy": "anyone"}))
    with pytest.raises(PolicyMissing):
        check_policies(app({}))


def test_hashes_of_the_battery_are_what_they_claim(secret: bytes) -> None:
    """The hand-made signature is the one a library makes, so the forgeries above fail for the reason they name."""
    payload = claims()
    made = jwt.encode(payload, secret, algorithm="HS256", headers={"typ": TOKEN_TYPE})
    head, body, signature = made.split(".")
    assert signature == encode(hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest())
