// Which pixels are this annotator's.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Service } from "../../scorer/service/page/api.js";
import { isSamePixel, Queue } from "../../scorer/service/page/queue.js";
import { answer, fakeFetch, later, query, serviceWith, settle, state } from "./service.js";

/** A queue of "ann & co", with what it asks and what it tells. */
function queueOf(service) {
  const told = [];
  const queue = new Queue(new Service(service.fetch), state(), {
    restarted: () => told.push("restarted"), arrived: ({ image }) => told.push(image),
  });
  queue.become("ann & co");
  return { queue, told, ...service };
}

/** The names of the images in the queue: the first is taken until there is none. */
function drained(queue) {
  const names = [];
  for (; queue.first; queue.passOver()) names.push(queue.first.image);
  return names;
}

test("pixels are the same where image, row and col are", () => {
  assert.ok(isSamePixel(query("a"), { ...query("a"), guesses: ["sky"] }));
  for (const other of [query("b"), query("a", 2), query("a", 1, 1)]) {
    assert.ok(!isSamePixel(query("a"), other));
  }
});

test("a refill asks for the state, then for three pixels of this annotator", async () => {
  const { queue, asked, told } = queueOf(serviceWith([query("a"), query("b")]));
  await queue.refill();
  assert.deepEqual(asked.map(({ address }) => address), [
    "/v1/state", "/v1/queue?annotator=ann%20%26%20co&count=3",
  ]);
  assert.deepEqual(told, ["a", "b"]);
  assert.ok(Math.abs(Date.now() - queue.filled) < 60000);
  assert.deepEqual(drained(queue), ["a", "b"]);
});

test("a query that stays in the queue stays the same object", async () => {
  const { queue, served } = queueOf(serviceWith([query("a"), query("b")]));
  await queue.refill();
  const { first } = queue;
  served.queries = [query("a"), query("c")];
  await queue.refill();
  assert.equal(queue.first, first);
  assert.deepEqual(drained(queue), ["a", "c"], "what is no longer ours is gone");
});

test("an answered pixel does not come back while its answer has no receipt", async () => {
  const { queue } = queueOf(serviceWith([query("a"), query("b")]));
  await queue.refill();
  const { first } = queue;
  assert.equal(queue.hasUnsent, false);
  queue.answered(first);
  assert.equal(queue.hasUnsent, true);
  assert.equal(queue.first.image, "b");
  await queue.refill();
  assert.equal(queue.first.image, "b");
  queue.settled(first);
  assert.equal(queue.hasUnsent, false);
  await queue.refill();
  assert.equal(queue.first.image, "a", "the service asks for it again");
});

test("a pixel that is answered during a refill is not in what the refill brings", async () => {
  const slow = later();
  const service = serviceWith([query("a"), query("b")]);
  const fetch = async (address) => {
    const found = await service.fetch(address);
    if (address !== "/v1/state") await slow.promise;
    return found;
  };
  const { queue } = queueOf({ ...service, fetch });
  queue.putFirst(query("a"));
  const { first } = queue;
  const refilled = queue.refill();
  await settle();
  queue.answered(first);
  queue.settled(first); // the receipt comes before the refill ends
  slow.resolve();
  await refilled;
  assert.deepEqual(drained(queue), ["b"]);
});

test("a photograph that cannot be shown is passed over, and one pixel more is asked for", async () => {
  const { queue, asked } = queueOf(serviceWith([query("a"), query("b")]));
  await queue.refill();
  queue.passOver();
  assert.equal(queue.first.image, "b");
  await queue.refill();
  assert.match(asked.at(-1).address, /count=4$/);
  assert.equal(queue.first.image, "b");
});

test("never more pixels are asked for than the service gives", async () => {
  const { queue, asked } = queueOf(serviceWith([]));
  for (let row = 0; row < 30; row += 1) {
    queue.putFirst(query("gone", row));
    queue.passOver();
  }
  await queue.refill();
  assert.match(asked.at(-1).address, /count=20$/);
});

test("one refill begins when the one before has ended, also where that one failed", async () => {
  const slow = later();
  const { fetch, asked } = fakeFetch((address, number) => {
    if (number === 1) return slow.promise;
    return answer(address === "/v1/state" ? state({ pixels_left: 4 }) : [query("a")]);
  });
  const { queue } = queueOf({ fetch });
  const [first, second] = [queue.refill(), queue.refill()];
  await settle();
  assert.equal(asked.length, 1);
  slow.reject(new TypeError("the network is gone"));
  await assert.rejects(first, /gone/);
  await second;
  assert.equal(queue.first.image, "a");
  assert.equal(queue.state.pixels_left, 4);
});

test("another service at the same address is told once", async () => {
  const { queue, told, served } = queueOf(serviceWith([]));
  served.state = state({ started: 2 });
  await queue.refill();
  await queue.refill();
  assert.deepEqual(told, ["restarted"]);
});

test("a query that is put first is in the queue once", async () => {
  const { queue } = queueOf(serviceWith([query("a"), query("b")]));
  await queue.refill();
  queue.putFirst(query("b"));
  assert.deepEqual(drained(queue), ["b", "a"]);
});

test("another annotator begins with an empty queue", async () => {
  const { queue, asked } = queueOf(serviceWith([query("a")]));
  await queue.refill();
  queue.become("bob");
  assert.equal(queue.first, undefined);
  await queue.refill();
  assert.match(asked.at(-1).address, /annotator=bob&/);
});
