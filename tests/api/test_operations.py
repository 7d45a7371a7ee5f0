"""Health, metrics, the description of the interface, and what belongs to every route alike."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from tests.api.answers import accepted
from tests.api.routes import ROUTES
from tests.api.schema import faults_of
from tests.api.test_seating_plan import house_of
from tests.house.world import FAR_AWAY, World, code_of

pytestmark = pytest.mark.anyio


async def description(world: World) -> dict[str, Any]:
    document: dict[str, Any] = accepted(await world.http.get("/openapi.json"))
    return document


def operations_of(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def concrete(path: str) -> str:
    return re.sub(r"\{\w+\}", "00000000-0000-0000-0000-000000000000", path)


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_a_process_that_answers_is_alive(world: World, path: str) -> None:
    assert accepted(await world.http.get(path)) == {"status": "ok"}


async def test_readiness_names_its_checks(world: World) -> None:
    ready = accepted(await world.http.get("/readyz"))
    assert ready["status"] == "ok"
    assert ready["checks"] == {"database": "ok", "schema": "ok", "draining": "ok"}


async def test_metrics_are_for_prometheus(world: World) -> None:
    await world.event(1)
    answer = await world.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["content-type"].count("charset") == 1
    assert "# TYPE overbookr_http_request_seconds histogram" in answer.text
    assert re.search(r'path="/events/\{event_id[^}]*\}/seats"', answer.text)
    assert "00000000" not in answer.text


async def test_a_code_is_explained_where_its_type_points(world: World) -> None:
    problem = (await world.http.get("/events/00000000-0000-0000-0000-000000000000")).json()
    explained = accepted(await world.http.get(problem["type"]))
    assert explained == {"code": problem["code"], "status": 404, "title": problem["title"]}
    assert code_of(await world.http.get("/problems/nonsense")) == (404, "not_found")


async def test_a_page_awaits_at_the_root(world: World) -> None:
    answer = await world.http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_documentation_needs_no_third_party(world: World) -> None:
    page = await world.http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"(?:src|href|url)\s*[=(:]\s*[\"']?(?:https?:)?//", page.text)
    own = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(own) >= 3
    for path in own:
        assert path.startswith("/docs/")
        answer = await world.http.get(path)
        assert answer.status_code == 200, path
    start = await world.http.get("/docs/start.js")
    assert '"/openapi.json"' in start.text
    assert "//" not in start.text
    for path in ("/docs/../settings.py", "/docs/%2e%2e%2fsettings.py", "/docs/nothing.js"):
        assert (await world.http.get(path)).status_code == 404


async def test_the_description_lists_every_route_and_its_success(world: World) -> None:
    document = await description(world)
    assert document["openapi"].startswith("3.1.")
    described = {
        route: sorted(int(status) for status in operation["responses"] if status.startswith("2"))
        for route, operation in operations_of(document).items()
    }
    assert described == {route: [status] for route, (_, status) in ROUTES.items()}
    # In an order that is the same in every process, or two of them would give two descriptions.
    assert list(document["paths"]) == sorted(document["paths"])


async def test_the_description_says_who_may_use_a_route(world: World) -> None:
    document = await description(world)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    wrong = {}
    for route, operation in operations_of(document).items():
        policy, _ = ROUTES[route]
        refusals = {"401", "403"} & operation["responses"].keys()
        expected = {"anyone": set[str](), "user": {"401"}, "admin": {"401", "403"}}[policy]
        if not expected <= refusals or (policy != "anyone") != ({"bearer": []} in operation.get("security", [])):
            wrong[route] = sorted(operation["responses"]), operation.get("security")
    assert wrong == {}


async def test_refusals_are_described_as_the_problems_they_are(world: World) -> None:
    document = await description(world)
    problem = (await world.http.get("/nothing")).json()
    wrong = {}
    for route, operation in operations_of(document).items():
        for status, answer in operation["responses"].items():
            if status < "4":
                continue
            schema = answer.get("content", {}).get("application/problem+json", {}).get("schema")
            if schema is None or faults_of(problem, schema, document):
                wrong[*route, status] = list(answer.get("content", {}))
    assert wrong == {}


async def test_the_key_of_a_booking_is_described(world: World) -> None:
    operations = operations_of(await description(world))
    for route, required in ((("POST", "/bookings"), True), (("POST", "/holds"), False)):
        parameters = {parameter["name"].lower(): parameter for parameter in operations[route].get("parameters", [])}
        assert parameters["idempotency-key"]["in"] == "header"
        assert parameters["idempotency-key"].get("required", False) is required


async def test_every_refusal_of_a_route_has_its_status_described(world: World) -> None:
    operations = operations_of(await description(world))
    for route, statuses in {
        ("POST", "/holds"): {"400", "401", "404", "409", "422", "429", "503"},
        ("POST", "/bookings"): {"400", "401", "404", "409", "422", "429", "503"},
        ("DELETE", "/bookings/{booking_id}"): {"401", "404", "409"},
        ("GET", "/holds/{hold_token}"): {"401", "404", "410", "429"},
        ("POST", "/events/{event_id}/waitlist"): {"404", "409", "429"},
        ("PUT", "/events/{event_id}/seating-plan"): {"400", "403", "404", "409"},
        ("POST", "/seating-plans/preview"): {"400", "401", "403", "413", "415", "503"},
        ("POST", "/users/register"): {"403", "409", "429"},
        ("POST", "/users/login"): {"401", "429"},
        ("POST", "/users/refresh"): {"401"},
        ("PATCH", "/users/me"): {"403", "429"},
    }.items():
        assert statuses <= operations[route]["responses"].keys(), route
    for route, operation in operations.items():
        assert "content" not in operation["responses"].get("204", {}), route
    assert "text/csv" in operations["GET", "/analytics/total_bookings"]["responses"]["200"]["content"]


async def test_bodies_are_described_as_strictly_as_they_are_judged(world: World) -> None:
    schemas = (await description(world))["components"]["schemas"]
    label = schemas["HoldRequest"]["properties"]["seat_nos"]["items"]
    assert (label["minLength"], label["maxLength"]) == (1, 64)
    for sound in ("A", "Stalls-A-1", " A", "Ä\u00a0"):
        assert re.search(label["pattern"], sound), sound
    for empty in ("", "  ", "\u00a0", "A\nB", "\x00A"):
        assert not re.search(label["pattern"], empty), empty
    for name in ("HoldRequest", "BookingRequest", "EventCreation", "EventChange", "RegisterRequest", "JoinRequest"):
        assert schemas[name]["additionalProperties"] is False
    assert schemas["RegisterRequest"]["properties"]["role"]["enum"] == ["user", "admin"]
    assert not re.search(r"x-described", str(schemas))


async def test_links_lead_to_operations(world: World) -> None:
    operations = operations_of(await description(world)).values()
    ids = {operation["operationId"] for operation in operations}
    targets = [
        link["operationId"]
        for operation in operations
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert len(targets) >= 6
    assert set(targets) <= ids


async def test_bodies_are_described(world: World) -> None:
    for (method, path), operation in operations_of(await description(world)).items():
        takes_none = method in ("GET", "DELETE") or path.endswith(("/logout", "/page/refresh"))
        assert ("requestBody" in operation) is not takes_none, (method, path)


async def test_answers_are_as_described(world: World) -> None:
    document = await description(world)
    operations = operations_of(document)
    seen = set()

    async def ask(method: str, template: str, path: str | None = None, who: Any = None, **request: Any) -> Any:
        headers = (who.headers if who else {}) | request.pop("headers", {})
        answer = await world.http.request(method, path or template, headers=headers, **request)
        body = accepted(answer, ROUTES[method, template][1])
        described = operations[method, template]["responses"][str(answer.status_code)]
        if answer.status_code != 204:
            schema = described["content"]["application/json"]["schema"]
            assert faults_of(body, schema, document) == [], (method, template)
        seen.add((method, template))
        return body

    admin, user = await world.admin(), await world.user()
    fields = {"name": "A show", "venue": "A house", "start_time": FAR_AWAY, "metadata": {"a": [1]}}
    event_id = (await ask("POST", "/events", who=admin, json=fields))["id"]
    here = f"/events/{event_id}"
    plan = json.dumps(house_of(A=3)).encode()
    await ask("PUT", "/events/{event_id}/seating-plan", f"{here}/seating-plan", admin, content=plan)
    await ask("POST", "/seating-plans/preview", who=admin, content=plan)
    await ask("POST", "/events/{event_id}/seats", f"{here}/seats", admin, json={"seat_nos": ["S1", "S2"]})
    await ask("POST", "/events/{event_id}/seats/block", f"{here}/seats/block", admin, json={"seat_nos": ["S1", "S2"]})
    await ask("POST", "/events/{event_id}/seats/unblock", f"{here}/seats/unblock", admin, json={"seat_nos": ["S2"]})
    await ask("PATCH", "/events/{event_id}", here, admin, json={"capacity": 4})
    body = {"event_id": event_id, "seat_nos": ["Stalls-A-1", "Stalls-A-2", "Stalls-A-3", "S2"]}
    token = (await ask("POST", "/holds", who=user, json=body))["hold_token"]
    await ask("GET", "/holds/{hold_token}", f"/holds/{token}", user)
    body = {"event_id": event_id, "hold_token": token}
    booking_id = (await ask("POST", "/bookings", who=user, json=body, headers={"Idempotency-Key": "k"}))["id"]
    await ask("GET", "/bookings", who=user)
    await ask("GET", "/bookings/{booking_id}", f"/bookings/{booking_id}", user)
    await ask("GET", "/bookings/search", who=admin, params={"booking_id": booking_id})
    await ask("GET", "/analytics/events/{event_id}/sales", f"/analytics{here}/sales", admin)
    await ask("GET", "/audits", who=admin)
    await ask("POST", "/events/{event_id}/waitlist", f"{here}/waitlist", user, json={"requested_seats": 1})
    await ask("GET", "/events/{event_id}/waitlist/me", f"{here}/waitlist/me", user)
    await ask("GET", "/events/{event_id}/waitlist", f"{here}/waitlist", admin)
    await ask("DELETE", "/events/{event_id}/waitlist/me", f"{here}/waitlist/me", user)
    await ask("DELETE", "/bookings/{booking_id}", f"/bookings/{booking_id}", user)
    for template in ("/events/{event_id}", "/events/{event_id}/seats", "/events/{event_id}/chart",
                     "/events/{event_id}/availability"):  # fmt: skip
        await ask("GET", template, template.replace("{event_id}", event_id))
    await ask("GET", "/events", params={"limit": 100})
    await ask("GET", "/analytics/total_bookings", who=admin)
    token = (await ask("POST", "/holds", who=user, json={"event_id": event_id, "seat_nos": ["S2"]}))["hold_token"]
    await ask("DELETE", "/holds/{hold_token}", f"/holds/{token}", user)
    await ask("DELETE", "/events/{event_id}", here, admin)
    await ask("GET", "/users/me", who=user)
    await ask("PATCH", "/users/me", who=user, json={"name": "Another"})
    account = {"name": "N", "email": f"{event_id}@example.org", "password": "long enough"}
    await ask("POST", "/users/register", json=account)
    session = await ask("POST", "/users/login", json={name: account[name] for name in ("email", "password")})
    await ask("POST", "/users/refresh", json={"refresh_token": session["refresh_token"]})
    page = {"Overbookr-Page": "1"}
    await ask("POST", "/users/page/register", json=account | {"email": f"p{event_id}@example.org"}, headers=page)
    known = {name: account[name] for name in ("email", "password")}
    await ask("POST", "/users/page/login", json=known, headers=page)
    await ask("POST", "/users/page/refresh", headers=page)
    await ask("POST", "/users/page/logout", who=await world.user(), headers=page)
    await ask("POST", "/users/logout", who=user)
    for path in ("/healthz", "/livez", "/readyz"):
        await ask("GET", path)
    await ask("GET", "/problems/{code}", "/problems/busy")
    # Two are no JSON, and one has no end.
    others = {("GET", "/metrics"), ("GET", "/events/{event_id}/stream"), ("GET", "/bookings/{booking_id}/ticket")}
    assert seen == ROUTES.keys() - others


async def test_every_route_keeps_its_policy(world: World) -> None:
    user = await world.user()
    expired = "eyJhbGciOiJub25lIn0.e30."
    for (method, template), (policy, _) in ROUTES.items():
        for path in (concrete(template), concrete(template) + "/"):
            for headers in ({}, {"Authorization": f"Bearer {expired}"}):
                answer = await world.http.request(method, path, headers=headers)
                assert (answer.status_code == 401) is (policy != "anyone"), (method, path, answer.text)
            if policy == "admin":
                assert code_of(await world.http.request(method, path, headers=user.headers)) == (403, "forbidden")


async def test_routes_answer_with_and_without_a_slash_at_the_end(world: World) -> None:
    for method, template in ROUTES:
        bare = await world.http.request(method, concrete(template))
        slashed = await world.http.request(method, concrete(template) + "/")
        assert slashed.status_code == bare.status_code, (method, template)
        assert slashed.status_code < 300 or slashed.status_code >= 400


async def test_methods_nobody_serves_are_refused(world: World) -> None:
    served: dict[str, set[str]] = {}
    for method, template in ROUTES:
        served.setdefault(template, set()).add(method)
    for template, methods in served.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            answer = await world.http.request(method, concrete(template))
            assert code_of(answer) == (405, "method_not_allowed"), (method, template)
            assert methods <= {name.strip() for name in answer.headers["allow"].split(",")}


async def test_options_name_every_method_of_a_path(world: World) -> None:
    served: dict[str, set[str]] = {}
    for method, template in ROUTES:
        served.setdefault(template, {"OPTIONS"}).add(method)
    for template, methods in served.items():
        answer = await world.http.options(concrete(template))
        assert answer.status_code == 204
        assert {name.strip() for name in answer.headers["allow"].split(",")} == methods, template


@pytest.mark.parametrize(
    "path", ["/nothing", "/events/x/y/z", "/users", "/users/1", "/%00", "/..%2f..", "/EVENTS", "/wp-login.php"]
)
async def test_there_is_nothing_elsewhere(world: World, path: str) -> None:
    assert code_of(await world.http.get(path)) == (404, "not_found")


async def test_a_request_id_is_kept_and_told(world: World) -> None:
    kept = await world.http.get("/nothing", headers={"X-Request-Id": "my-request.1"})
    assert kept.headers["x-request-id"] == kept.json()["instance"] == "my-request.1"
    replaced = await world.http.get("/nothing", headers={"X-Request-Id": 'x" onload="'})
    assert replaced.headers["x-request-id"] != 'x" onload="'
    ids = {(await world.http.get("/healthz")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


async def test_bodies_have_a_size_and_a_kind(world: World) -> None:
    user = await world.user()
    large = await world.http.post(
        "/holds", content=b"x" * 70_000, headers=user.headers | {"Content-Type": "application/json"}
    )
    assert code_of(large) == (413, "payload_too_large")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await world.http.post("/holds", content=b"{}", headers=user.headers | {"Content-Type": kind})
        assert code_of(answer) == (415, "unsupported_media_type")


async def test_a_browser_elsewhere_is_let_in_only_when_listed(narrow_world: World) -> None:
    http = narrow_world.http
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
    ours, theirs = {"Origin": "https://tickets.example"}, {"Origin": "https://evil.example"}
    for path in ("/holds", "/holds/", "/events/"):
        preflight = await http.options(path, headers=ours | asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == ours["Origin"]
        assert "idempotency-key" in preflight.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-origin" not in (await http.options(path, headers=theirs | asked)).headers
    for path in ("/events", "/events/", "/nothing", "/holds"):
        answer = await http.get(path, headers=ours)
        assert answer.headers["access-control-allow-origin"] == ours["Origin"]
        assert "access-control-allow-credentials" not in answer.headers
        assert "access-control-allow-origin" not in (await http.get(path, headers=theirs)).headers


async def test_a_slow_event_answers_busy_and_holds_nobody_up(world: World) -> None:
    """Whoever waits for a locked event is told to come back; nothing is half done, and readers notice nothing."""
    event_id = await world.event(20)
    *users, booker = await world.users(13)
    token = await world.held(booker, event_id, "S20")
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("select lock_events(array[$1::text::uuid])", event_id)
        asked = [asyncio.create_task(world.hold(user, event_id, f"S{number}")) for number, user in enumerate(users, 1)]
        asked.append(asyncio.create_task(world.book(booker, event_id, token, "k")))
        done: set[asyncio.Task[httpx.Response]] = set()
        looks = 0
        while len(done) < len(asked):
            started = asyncio.get_running_loop().time()
            accepted(await world.http.get("/events"))
            accepted(await world.http.get(f"/events/{event_id}/seats"))
            assert asyncio.get_running_loop().time() - started < 2
            looks += 1
            done, _ = await asyncio.wait(asked, timeout=0.1)
    assert looks > 3
    for task in asked:
        refused = task.result()
        assert code_of(refused) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
    accepted(await world.hold(users[0], event_id, "S1"), 201)
    accepted(await world.book(booker, event_id, token, "k"), 201)
    await world.assert_lawful()
