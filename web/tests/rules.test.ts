import assert from "node:assert/strict";
import { test } from "node:test";
import { isRepeatable, pauseAfter, TRIES_MAX } from "../src/api/patience.ts";
import { serverClock } from "../src/api/server_clock.ts";
import { amountOf, currencyOf } from "../src/event/amounts.ts";
import { saleOf } from "../src/events/sale.ts";
import { contrast, readHex, visibleOn, writeHex } from "../src/map/colours.ts";
import { ownPath, placeOf } from "../src/paths.ts";
import { bestLanguage } from "../src/texts/choice.ts";

const at = (pathname: string, search = "", hash = "") => placeOf({ pathname, search, hash });

test("paths name places", () => {
  assert.deepEqual(at("/"), { page: "events" });
  assert.deepEqual(at("/event/42/"), { page: "event", id: "42" });
  assert.deepEqual(at("/my-bookings"), { page: "bookings" });
  assert.deepEqual(at("/event/%zz"), { page: "event", id: "%zz" });
  assert.deepEqual(at("/elsewhere"), { page: "nothing" });
});

test("links of old mails lead to the booking", () => {
  const id = "01a2068b-327c-7000-8000-000000000000";
  assert.deepEqual(at("/", "", `#/bookings/${id}`), { page: "booking", id });
  assert.deepEqual(at("/", "", "#/bookings/nonsense"), { page: "events" });
});

test("nobody is led to another site after logging in", () => {
  assert.equal(ownPath("/event/42"), "/event/42");
  for (const path of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", null]) {
    assert.equal(ownPath(path), "/");
  }
});

test("only what the server knows again is repeated", () => {
  assert.ok(isRepeatable({ method: "GET", headers: new Headers() }));
  assert.ok(isRepeatable({ method: "POST", headers: new Headers({ "Idempotency-Key": "k" }) }));
  assert.ok(!isRepeatable({ method: "POST", headers: new Headers() }));
});

test("answers are never repeated, being away is, and what the server says about when counts", () => {
  assert.equal(pauseAfter(1, 409, null, 0.5), null);
  assert.equal(pauseAfter(1, 201, null, 0.5), null);
  assert.ok((pauseAfter(1, 0, null, 0) ?? 9) < 1);
  assert.ok((pauseAfter(1, 503, "3", 0) ?? 0) >= 2);
  assert.equal(pauseAfter(1, 429, "60", 0.5), null);
  assert.equal(pauseAfter(TRIES_MAX, 0, null, 0.5), null);
});

test("the server's clock is never taken to be slower than it is, and known better with each answer", () => {
  const clock = serverClock();
  assert.equal(clock.now(0), null);
  // The server is at 5,000.3 s when our clock is at 100 s; its header has whole seconds.
  clock.observe(new Date(5_000_000).toUTCString(), 100_000, 100_020);
  const first = clock.now(100_000) as number;
  assert.ok(first >= 5_000_300 && first <= 5_001_300);
  clock.observe(new Date(5_000_000).toUTCString(), 100_690, 100_700);
  const better = clock.now(100_000) as number;
  assert.ok(better >= 5_000_300 && better < first);
  clock.observe("nonsense", 0, 0);
  assert.equal(clock.now(100_000), better);
});

test("a colour of the plan is changed only as far as it must be to be seen", () => {
  const [dark, light] = [readHex("#1b1719"), readHex("#f2ebe6")];
  const navy = visibleOn(readHex("#1d3557"), dark, light);
  assert.ok(contrast(navy, dark) >= 3);
  assert.equal(writeHex(visibleOn(readHex("#e87722"), dark, light)), "#e87722");
  assert.equal(writeHex(readHex("#fa0")), "#ffaa00");
});

test("prices are read from metadata that may hold anything", () => {
  const metadata = { currency: "CHF", prices: { Stalls: 48.5, Box: "dear", Roof: -1 } };
  assert.equal(amountOf(metadata, "Stalls"), 48.5);
  assert.equal(amountOf(metadata, "Box"), null);
  assert.equal(amountOf(metadata, "Roof"), null);
  assert.equal(amountOf(metadata, "toString"), null);
  assert.equal(amountOf({ prices: 3 }, "Stalls"), null);
  assert.equal(currencyOf(metadata), "CHF");
  assert.equal(currencyOf({ currency: "Taler" }), "EUR");
});

test("the state of a sale follows from status, times and what is free", () => {
  const event = { status: "on_sale", available: 100, capacity: 400, start_time: "2031-05-01T19:30:00Z" };
  const now = Date.parse("2031-01-01T00:00:00Z");
  assert.equal(saleOf(event, now), "open");
  assert.equal(saleOf({ ...event, available: 12 }, now), "few");
  assert.equal(saleOf({ ...event, available: 0 }, now), "sold_out");
  assert.equal(saleOf({ ...event, sales_open_at: "2031-02-01T00:00:00Z" }, now), "later");
  assert.equal(saleOf({ ...event, sales_close_at: "2030-02-01T00:00:00Z" }, now), "closed");
  assert.equal(saleOf({ ...event, start_time: "2030-02-01T00:00:00Z" }, now), "closed");
  assert.equal(saleOf({ ...event, status: "paused" }, now), "paused");
});

test("a visitor is spoken to in the first language of theirs that there is", () => {
  assert.equal(bestLanguage(["", "fr-FR", "de-AT", "en"], ["de", "en"]), "de");
  assert.equal(bestLanguage(["EN-us"], ["de", "en"]), "en");
  assert.equal(bestLanguage(["fr"], ["de", "en"]), "en");
});
