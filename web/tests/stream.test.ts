import assert from "node:assert/strict";
import { test } from "node:test";
import { messageReader, pauseBefore } from "../src/map/stream.ts";

test("a message is told once its blank line is there, however it was cut", () => {
  const read = messageReader();
  assert.deepEqual(read("retry: 700\n\nid: 7-1-2-0\nevent: se"), []);
  assert.deepEqual(read('ats\ndata: {"version":7}\n'), []);
  assert.deepEqual(read("\n"), [{ type: "seats", data: '{"version":7}', id: "7-1-2-0" }]);
});

test("comments are no messages", () => {
  const read = messageReader();
  assert.deepEqual(read(": ping\n\n: ping\n\n"), []);
});

test("an id holds until there is another", () => {
  const read = messageReader();
  const messages = read("id: 1\ndata: a\n\ndata: b\n\n");
  assert.deepEqual(
    messages.map(({ id }) => id),
    ["1", "1"],
  );
});

test("lines of data are joined, and line breaks of every kind end a line", () => {
  const read = messageReader();
  assert.equal(read("data: a\r\ndata: b\r\n\r\n")[0]?.data, "a\nb");
  assert.deepEqual(read("data: c\r"), []);
  assert.equal(read("\n\r\n")[0]?.data, "c");
});

test("a stream that ended is asked for at once, one that failed less and less often", () => {
  assert.ok(pauseBefore(0, 1) <= 0.2);
  assert.equal(pauseBefore(1, 1), 0.5);
  assert.equal(pauseBefore(3, 1), 2);
  assert.equal(pauseBefore(30, 1), 8);
  assert.equal(pauseBefore(30, 0), 4);
});
