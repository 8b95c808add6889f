// The pixel on the screen.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Current } from "../../scorer/service/page/current.js";
import { later, query, settle } from "./service.js";

/** The pixel on the screen, of a queue with these queries; load gives a photograph. */
function currentOf(queries, load = async (kind, name) => `${kind} ${name}`) {
  const told = [];
  const queue = {
    get first() {
      return queries[0];
    },
    passOver: () => void told.push(`passed over ${queries.shift().image}`),
  };
  const current = new Current(queue, { load }, {
    shown: ({ image }) => told.push(image), nothing: () => told.push("nothing"),
    failed: (error) => told.push(error.message),
  });
  return { current, told, queries };
}

test("the first pixel is shown once", async () => {
  const { current, told, queries } = currentOf([query("a"), query("b")]);
  await current.show();
  await current.show();
  assert.deepEqual(told, ["photograph a"]);
  assert.equal(current.shown.query, queries[0]);
});

test("a pixel is taken once, with the seconds that it was there", async () => {
  const { current, queries } = currentOf([query("a")]);
  assert.equal(current.take(), null);
  await current.show();
  current.shown.since -= 2500;
  const taken = current.take();
  assert.equal(taken.query, queries[0]);
  assert.ok(taken.seconds >= 2.5 && taken.seconds < 60, String(taken.seconds));
  assert.equal(current.take(), null);
});

test("a photograph that cannot be loaded is told and passed over", async () => {
  const { current, told } = currentOf([query("gone"), query("b")], async (_, name) => {
    if (name === "gone") throw new Error("gone cannot be shown");
    return name;
  });
  await current.show();
  assert.deepEqual(told, ["gone cannot be shown", "passed over gone", "b"]);
});

test("a photograph that comes too late is not shown", async () => {
  const slow = later();
  const { current, told, queries } = currentOf([query("a"), query("b")], () => slow.promise);
  const shown = current.show();
  queries.shift();
  slow.resolve("a");
  await shown;
  assert.deepEqual(told, []);
  assert.equal(current.shown, null);
});

test("an empty queue shows nothing, and a cleared screen is filled again", async () => {
  const { current, told, queries } = currentOf([query("a")]);
  await current.show();
  current.clear();
  assert.equal(current.take(), null);
  await current.show();
  queries.shift();
  await current.show();
  assert.equal(current.shown, null);
  assert.deepEqual(told, ["photograph a", "photograph a", "nothing"]);
});

test("a chosen pixel takes the place of the question until it is answered or given up", async () => {
  const { current, queries } = currentOf([query("a"), query("b")]);
  current.choose({ row: 3, col: 4 });
  assert.equal(current.shown, null, "there is no photograph yet");
  await current.show();
  current.choose({ row: 3, col: 4 });
  const { image, row, col, source } = current.shown.query;
  assert.deepEqual({ image, row, col, source }, { image: "a", row: 3, col: 4, source: "free" });
  await current.show();
  assert.equal(current.shown.query.source, "free", "a refill leaves it there");
  current.comeBack();
  await settle();
  assert.equal(current.shown.query, queries[0]);
  current.comeBack();
  assert.equal(current.shown.query, queries[0], "a question is not left by Escape");
});
