import assert from "node:assert/strict";
import { test } from "node:test";
import { advanced, begun, freeBySection, lostSeats, unpack } from "../src/map/availability.ts";

const compact = { version: 7, chart_version: 1, available: 3, seats: 5, states: btoa("\x24\x03") };
const indexOf = new Map(["A", "B", "C", "D", "E"].map((label, seat) => [label, seat]));

test("two bits a seat are read from the lowest on", () => {
  assert.deepEqual([...unpack(btoa("\x24\x03"), 5)], [0, 1, 2, 0, 3]);
});

test("a whole map is taken as it is told", () => {
  const known = begun(compact);
  assert.equal(known.version, 7);
  assert.deepEqual([...known.statuses], [0, 1, 2, 0, 3]);
});

test("single seats are laid over what is known, and what was known stays", () => {
  const known = begun(compact);
  const next = advanced(known, { version: 9, available: 4, seats: { B: "available", A: "booked" } }, indexOf);
  assert.deepEqual([...(next?.statuses ?? [])], [2, 0, 2, 0, 3]);
  assert.equal(next?.version, 9);
  assert.equal(next?.available, 4);
  assert.deepEqual([...known.statuses], [0, 1, 2, 0, 3]);
});

test("a seat or a status that nobody knows asks for the whole map", () => {
  const known = begun(compact);
  assert.equal(advanced(known, { version: 8, available: 3, seats: { X: "held" } }, indexOf), null);
  assert.equal(advanced(known, { version: 8, available: 3, seats: { A: "sunk" } }, indexOf), null);
});

test("chosen seats that are not free are lost, and only those", () => {
  assert.deepEqual(lostSeats([0, 1, 3], begun(compact).statuses), [1]);
});

test("free seats are counted by section", () => {
  const sections = [
    { first: 0, end: 3 },
    { first: 3, end: 5 },
  ];
  assert.deepEqual(freeBySection(begun(compact).statuses, sections), [1, 1]);
});
