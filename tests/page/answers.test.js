// The order in which answers are sent, and what takes them back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Answers } from "../../scorer/service/page/answers.js";
import { Service } from "../../scorer/service/page/api.js";
import { Queue } from "../../scorer/service/page/queue.js";
import { answer, later, query, serviceWith, settle, state } from "./service.js";

/** Answers of "ann" to three pixels; answering gives the service's answer to what is posted. */
async function answersOf(answering) {
  const served = serviceWith([query("a"), query("b"), query("c")], answering);
  const service = new Service(served.fetch, async () => {});
  const queue = new Queue(service, state(), { restarted() {}, arrived() {} });
  queue.become("ann");
  await queue.refill();
  const told = [];
  const answers = new Answers(service, queue, {
    next: async () => void told.push("next"),
    received: (kind, name) => told.push(`received ${kind} ${name}`),
    undone: (any) => told.push(`undone ${any}`),
    failed: (error) => told.push(`failed ${error.message}`),
  });
  const give = (kind, name = null) =>
    answers.give({ query: queue.first, answer: kind, name, seconds: 1.5 });
  const posted = () => served.asked.filter(({ body }) => body);
  return { ...served, queue, answers, told, give, posted };
}

test("an answer says all that the service wants to know", async () => {
  const { give, posted, told } = await answersOf(() => answer({ id: 1 }, 201));
  give("label", "sky");
  await settle();
  const [{ address, body }] = posted();
  assert.equal(address, "/v1/labels");
  assert.match(body.request, /^[0-9a-f]{32}$/);
  assert.deepEqual({ ...body, request: "" }, {
    image: "a", row: 1, col: 2, answer: "label", class_name: "sky", annotator: "ann", seconds: 1.5,
    request: "",
  });
  assert.deepEqual(told, ["received label sky", "next"]);
});

test("the next pixel is there at once, and answers are sent one after the other", async () => {
  const slow = [later(), later()];
  let number = 0;
  const { give, posted, queue, told } = await answersOf(() => slow[number++].promise);
  give("unsure");
  assert.equal(queue.first.image, "b");
  give("skip");
  assert.equal(queue.first.image, "c");
  await settle();
  assert.deepEqual(posted().map(({ body }) => body.image), ["a"], "b waits for the receipt of a");
  slow[0].resolve(answer({ id: 1 }));
  await settle();
  assert.deepEqual(posted().map(({ body }) => body.image), ["a", "b"]);
  slow[1].resolve(answer({ id: 2 }));
  await settle();
  assert.deepEqual(told, ["received unsure null", "next", "received skip null", "next"]);
  assert.equal(queue.hasUnsent, false);
});

test("an answer belongs to who was there when it was given", async () => {
  const slow = later();
  const { give, posted, queue } = await answersOf(() => slow.promise.then(() => answer({ id: 1 })));
  give("unsure");
  give("skip");
  queue.become("bob");
  slow.resolve();
  await settle();
  assert.deepEqual(posted().map(({ body }) => body.annotator), ["ann", "ann"]);
});

test("all attempts of an answer have one request name, and two answers have two", async () => {
  let number = 0;
  const { give, posted } = await answersOf(() => {
    number += 1;
    if (number < 3) throw new TypeError("the network is gone");
    return answer({ id: number });
  });
  give("unsure");
  give("skip");
  await settle();
  const names = posted().map(({ body }) => body.request);
  assert.equal(names.length, 4);
  assert.equal(new Set(names.slice(0, 3)).size, 1);
  assert.equal(new Set(names).size, 2);
});

test("an answer that did not arrive is asked for again, and those behind it are sent", async () => {
  let number = 0;
  const { give, queue, told } = await answersOf(() => {
    number += 1;
    return number === 1 ? answer({ detail: "the disk is full" }, 507) : answer({ id: 1 });
  });
  give("unsure");
  give("skip");
  assert.equal(queue.first.image, "c");
  await settle();
  assert.equal(queue.first.image, "a");
  assert.deepEqual(told, ["failed the disk is full", "next", "received skip null", "next"]);
  assert.equal(queue.hasUnsent, false);
});

for (const status of [404, 409]) {
  test(`a pixel that is not ours (${status}) is not asked for again`, async () => {
    const { give, queue, told } = await answersOf(() => answer({ detail: "no" }, status));
    give("unsure");
    await settle();
    assert.equal(queue.first.image, "b");
    assert.deepEqual(told, ["failed no", "next"]);
  });
}

test("undo is sent behind the answers, and its pixel comes first", async () => {
  const slow = later();
  const { give, answers, posted, queue, told } = await answersOf((address) =>
    address === "/v1/undo" ? answer({ undone: true, query: query("a") }) : slow.promise);
  give("unsure");
  answers.undo();
  await settle();
  assert.deepEqual(posted().map(({ address }) => address), ["/v1/labels"]);
  slow.resolve(answer({ id: 1 }));
  await settle();
  assert.equal(posted()[1].address, "/v1/undo");
  assert.deepEqual(Object.keys(posted()[1].body), ["annotator", "request"]);
  assert.equal(queue.first.image, "a");
  assert.deepEqual(told, ["received unsure null", "next", "undone true", "next"]);
});

test("an undo without anything to take back changes nothing", async () => {
  const { answers, queue, told } = await answersOf(() => answer({ undone: false, query: null }));
  answers.undo();
  await settle();
  assert.equal(queue.first.image, "a");
  assert.deepEqual(told, ["undone false", "next"]);
});

test("an undo that fails is told, and the next answer is sent", async () => {
  const { answers, give, told } = await answersOf((address) =>
    address === "/v1/undo" ? answer({ detail: "no" }, 500) : answer({ id: 1 }));
  answers.undo();
  give("unsure");
  await settle();
  assert.deepEqual(told, ["failed no", "received unsure null", "next"]);
});

test("a pixel of one's own says so, and is not asked again where it is lost", async () => {
  const { answers, posted, queue } = await answersOf(() => answer({ detail: "no" }, 500));
  const own = { ...query("a", 8, 9), source: "free" };
  answers.give({ query: own, answer: "label", name: "sky", seconds: 1 });
  await settle();
  assert.equal(posted()[0].body.free, true);
  assert.equal(queue.first.row, 1, "the question is still the first");
});
