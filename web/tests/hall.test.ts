import assert from "node:assert/strict";
import { test } from "node:test";
import { plainChart, withFurtherSeats } from "../src/map/chart.ts";
import { visibleBox } from "../src/map/drawing.ts";
import { convexHull, hallOf } from "../src/map/hall.ts";

const chart = plainChart(
  Array.from({ length: 30 }, (_, number) => ({ seat_no: `S${number + 1}` })),
  "Seats",
);

test("seats are in the order of the chart, and found by their label", () => {
  const hall = hallOf(chart);
  assert.equal(hall.count, 30);
  assert.equal(hall.labels[29], "S30");
  assert.equal(hall.indexOf.get("S30"), 29);
  assert.deepEqual(
    hall.sections[0]?.rows.map(({ first, end }) => end - first),
    [8, 8, 8, 6],
  );
});

test("the pitch is the usual distance in a row, whatever aisles there are", () => {
  const seats = [0, 10, 20, 60, 70].map((x, number): [string, string, number, number, number] => [
    `A${number}`,
    `${number}`,
    x,
    0,
    0,
  ]);
  const size = { width: 100, height: 100 };
  const sections = [{ name: "A", rows: [{ row: "1", seats }] }];
  const hall = hallOf({ name: "", size, categories: [{ name: "", color: "red" }], sections, areas: [] });
  assert.equal(hall.pitch, 10);
});

test("every seat lies within the outline of its section and within the bounds", () => {
  const hall = hallOf(chart);
  const outline = hall.sections[0]?.outline ?? [];
  for (let seat = 0; seat < hall.count; seat++) {
    const [x, y] = [hall.x[seat] as number, hall.y[seat] as number];
    assert.ok(x > hall.bounds.left && x < hall.bounds.right && y > hall.bounds.top && y < hall.bounds.bottom);
    for (let at = 0; at < outline.length; at += 2) {
      const [ax, ay] = [outline[at] as number, outline[at + 1] as number];
      const next = (at + 2) % outline.length;
      const [bx, by] = [outline[next] as number, outline[next + 1] as number];
      assert.ok((bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0, `seat ${seat} is outside`);
    }
  }
});

test("a hull has no point inside and none on an edge", () => {
  const hull = convexHull([
    [0, 0],
    [4, 0],
    [4, 4],
    [0, 4],
    [2, 2],
    [2, 0],
  ]);
  assert.deepEqual(hull, [
    [0, 0],
    [4, 0],
    [4, 4],
    [0, 4],
  ]);
});

test("seats without a place are drawn behind those that have one, in the order of the list", () => {
  const listed = [{ seat_no: "Z1" }, { seat_no: "S1" }, { seat_no: "Z2" }];
  const hall = hallOf(withFurtherSeats(chart, listed, "Further seats"));
  assert.deepEqual(hall.labels.slice(30), ["Z1", "Z2"]);
  assert.equal(hall.sections.length, 2);
  assert.equal(withFurtherSeats(chart, [{ seat_no: "S1" }], "Further seats"), chart);
});

test("the window shows the part of the house that lies behind it", () => {
  const view = { k: 2, x: 100, y: -50, width: 400, height: 300, density: 1 };
  assert.deepEqual(visibleBox(view), { left: -50, top: 25, right: 150, bottom: 175 });
});
