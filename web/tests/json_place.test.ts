import assert from "node:assert/strict";
import { test } from "node:test";
import { excerptOf, placeInWords, placeOf, stepsOf } from "../src/panel/json_place.ts";

const plan = {
  name: 'A "house" with [brackets], {braces} and \\',
  zones: [
    { name: "Stalls", rows: [{ row_number: "A", seats: [{ seat_number: "1" }, { seat_number: "2", category: 7 }] }] },
    { name: "Balcony", rows: [] },
  ],
  size: { width: -1.5e3, height: null },
};

function at(path: string, text: string): string {
  const { start, end } = placeOf(text, path);
  return text.slice(start, end);
}

test("every place of a file is found, however it is written", () => {
  for (const text of [
    JSON.stringify(plan),
    JSON.stringify(plan, null, 2),
    `\ufeff \n${JSON.stringify(plan, null, "\t")}`,
  ]) {
    assert.equal(at("zones[0].rows[0].seats[1].category", text), "7");
    assert.equal(at("zones[1].name", text), '"Balcony"');
    assert.equal(at("size.width", text), "-1500");
    assert.equal(at("size.height", text), "null");
    assert.deepEqual(JSON.parse(at("zones[1]", text)), plan.zones[1]);
    assert.deepEqual(JSON.parse(at("zones[0].rows[0].seats", text)), plan.zones[0]?.rows[0]?.seats);
    assert.deepEqual(JSON.parse(at("$", text)), plan);
  }
});

test("what is missing is shown where it should be: at the beginning of what it is missing from", () => {
  const text = JSON.stringify(plan, null, 2);
  const { start, end, line } = placeOf(text, "zones[1].rows[4].seats");
  assert.equal(text.slice(start, end), "[");
  assert.equal(text.split("\n")[line - 1]?.trim(), '"rows": []');
  assert.equal(at("categories", text), "{");
});

test("lines and columns begin at one", () => {
  const text = '{\n  "zones": [\n    true\n  ]\n}';
  const { line, column } = placeOf(text, "zones[0]");
  assert.deepEqual([line, column], [3, 5]);
  const around = { before: '{\n  "zones": [\n    ', wrong: "true", after: "\n  ]\n}" };
  assert.deepEqual(excerptOf(text, placeOf(text, "zones[0]")), around);
});

test("an excerpt keeps to the line and is short however long that is", () => {
  const text = `{"a": "${"x".repeat(500)}", "b": 1, "c": "${"y".repeat(500)}"}`;
  const { before, wrong, after } = excerptOf(text, placeOf(text, "b"));
  assert.equal(wrong, "1");
  assert.ok(before.length <= 160 && after.length <= 160);
  assert.ok(before.endsWith('"b": ') && after.startsWith(', "c"'));
});

test("lines around a mistake are moved to the left together", () => {
  const text = JSON.stringify({ a: { b: { c: [1, 2, 3, 4, 5, 6] } } }, null, 2);
  const { before, wrong, after } = excerptOf(text, placeOf(text, "a.b.c[3]"));
  assert.equal(before + wrong + after, "2,\n3,\n4,\n5,\n6");
  assert.equal(wrong, "4");
});

test("a file that is no JSON is shown where the server stopped reading", () => {
  const text = '{\n  "zones": [,]\n}';
  const place = placeInWords(text, "The plan is not JSON: line 2, column 13.");
  assert.equal(place && text[place.start], ",");
  assert.equal(placeInWords(text, "Something else is wrong."), null);
  // What cannot be read ends all the same.
  assert.ok(placeOf("nonsense", "zones[0]"));
  assert.ok(placeOf('{"zones": [', "zones[3].rows"));
  assert.ok(placeOf("", "a.b"));
});

test("paths have names and numbers", () => {
  assert.deepEqual(stepsOf("zones[3].rows[12].name"), ["zones", 3, "rows", 12, "name"]);
  assert.deepEqual(stepsOf("$"), []);
});
