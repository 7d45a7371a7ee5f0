import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../src/api/client.ts";
import { bodyOf, changesOf, draftOf, faultsOf, faultsOfRefusal } from "../src/panel/event_draft.ts";
import { type Counts, Minutes, sumOf } from "../src/panel/minutes.ts";
import { fieldOf, instantOf } from "../src/panel/moments.ts";
import { soughtBy } from "../src/panel/search.ts";

const event = {
  name: "A show",
  venue: "A house",
  start_time: "2031-05-01T19:30:00Z",
  capacity: 90,
  seats_count: 100,
  status: "on_sale",
  waitlist_policy: "strict",
  metadata: { genre: "rock", currency: "CHF", prices: { Stalls: 48.5 } },
} as unknown as Event;

const draft = draftOf(event);

test("a form that nobody touched changes nothing", () => {
  assert.deepEqual(faultsOf(draft), {});
  assert.deepEqual(changesOf(draft, draft, event), {});
  assert.deepEqual(changesOf({ ...draft, venue: "Elsewhere" }, draft, event), { venue: "Elsewhere" });
  const body = bodyOf(draft, event.metadata);
  assert.deepEqual(body.metadata, event.metadata);
  assert.equal(Date.parse(body.start_time), Date.parse(event.start_time));
  assert.deepEqual([body.capacity, body.sales_open_at, body.sales_close_at], [90, null, null]);
});

test("what others have changed while the form was open stays", () => {
  const now = { ...event, name: "Another", capacity: 100, metadata: { genre: "jazz" } } as unknown as Event;
  assert.deepEqual(changesOf(draft, draft, now), {});
  assert.deepEqual(changesOf({ ...draft, prices: { Stalls: "9" } }, draft, now), {
    metadata: { genre: "jazz", currency: "CHF", prices: { Stalls: 9 } },
  });
});

test("prices are taken with a comma or a point, and taken away by leaving them empty", () => {
  const body = bodyOf({ ...draft, prices: { Stalls: "12,50", Balcony: "9" } }, event.metadata);
  assert.deepEqual(body.metadata, { genre: "rock", currency: "CHF", prices: { Stalls: 12.5, Balcony: 9 } });
  assert.deepEqual(bodyOf({ ...draft, prices: { Stalls: " " } }, event.metadata).metadata, { genre: "rock" });
});

test("each mistake is told where it is", () => {
  const wrong = { name: "  ", venue: "x".repeat(201), start_time: "", capacity: "1.5", currency: "euro" };
  const names = { name: "name", venue: "venue", start_time: "start_time", capacity: "capacity", currency: "currency" };
  assert.deepEqual(faultsOf({ ...draft, ...wrong }), names);
  assert.deepEqual(faultsOf({ ...draft, prices: { Stalls: "free" } }), { prices: "prices" });
  const window = { sales_open_at: "2031-01-02T10:00", sales_close_at: "2031-01-02T10:00" };
  assert.deepEqual(faultsOf({ ...draft, ...window }), { sales_close_at: "window" });
  for (const capacity of ["0", "-1", "99999999", "ten"]) {
    assert.deepEqual(faultsOf({ ...draft, capacity }), { capacity: "capacity" }, capacity);
  }
});

test("what the server refuses is told at the field that it is about", () => {
  const refusal = { detail: "", conflicts: [], errors: [], retryAfter: null, location: null };
  assert.deepEqual(faultsOfRefusal({ ...refusal, code: "capacity_in_use" }), { capacity: "in_use" });
  const errors = [{ path: "$.venue", message: "no" }];
  assert.deepEqual(faultsOfRefusal({ ...refusal, code: "invalid_request", errors }), { venue: "venue" });
  assert.deepEqual(faultsOfRefusal({ ...refusal, code: "busy" }), {});
});

test("moments go through the fields of the browser and come back", () => {
  for (const instant of ["2031-05-01T19:30:00.000Z", "2026-12-31T23:59:00.000Z", "2026-07-01T00:00:00.000Z"]) {
    assert.equal(instantOf(fieldOf(instant)), instant);
  }
  assert.equal(fieldOf(null), "");
  for (const nothing of ["", "tomorrow", "2031-05-01", "2031-13-01T10:00"]) assert.equal(instantOf(nothing), null);
});

const one: Counts = { held: 1, booked: 0, returned: 0, promoted: 0, cancelled: 0 };
const minute = "2031-05-01T19:30:00Z";
const now = Date.parse("2031-05-01T19:31:30Z");

function stretch(after: number, version: number, counts = one) {
  return { after, version, is_whole: true, minutes: [{ minute, ...counts }] };
}

test("stretches add up in both directions, and none counts twice", () => {
  const minutes = new Minutes();
  for (const next of [stretch(20, 30), stretch(30, 40), stretch(10, 20), stretch(20, 30), stretch(30, 40)]) {
    minutes.take(next);
  }
  assert.equal(sumOf(minutes.range(now, 60)).held, 3);
  assert.deepEqual([minutes.first, minutes.last], [10, 40]);
  // A gap would make the sum wrong for ever.
  minutes.take(stretch(45, 50));
  assert.equal(sumOf(minutes.range(now, 60)).held, 3);
});

test("an hour has sixty minutes up to this one, whether or not something happened in them", () => {
  const minutes = new Minutes();
  minutes.take(stretch(0, 10));
  const hour = minutes.range(now, 60);
  assert.equal(hour.length, 60);
  assert.deepEqual(
    hour.filter(({ counts }) => counts.held > 0).map(({ at }) => at),
    [Date.parse(minute)],
  );
  assert.equal(hour.at(-1)?.at, Date.parse("2031-05-01T19:31:00Z"));
});

test("what is typed says what is sought", () => {
  const id = "01a206a1-0de3-7366-90a4-1933dc042817";
  assert.deepEqual(soughtBy(` ${id.toUpperCase()} `, "e"), { booking_id: id });
  assert.deepEqual(soughtBy("ada@example.org", ""), { email: "ada@example.org" });
  assert.deepEqual(soughtBy("ada@example.org", "e"), { email: "ada@example.org", event_id: "e" });
  assert.deepEqual(soughtBy("Stalls-A-1", "e"), { seat_no: "Stalls-A-1", event_id: "e" });
  assert.equal(soughtBy("Stalls-A-1", ""), null);
  assert.deepEqual(soughtBy("  ", ""), {});
});
