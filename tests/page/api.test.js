// Requests to the service.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Service, ServiceError, uniqueName } from "../../scorer/service/page/api.js";
import { answer, fakeFetch } from "./service.js";

const BODY = { annotator: "ann", request: "one name" };

/** A service whose pauses end at once, and are noted. */
function serviceOf(answering) {
  const found = fakeFetch(answering);
  const pauses = [];
  const service = new Service(found.fetch, async (milliseconds) => void pauses.push(milliseconds));
  return { ...found, service, pauses };
}

const lost = () => {
  throw new TypeError("the network is gone");
};

test("a request without a body is a GET, and one with a body a POST of JSON", async () => {
  const { service, asked } = serviceOf(() => answer({ id: 7 }));
  assert.deepEqual(await service.ask("/v1/state"), { id: 7 });
  assert.equal(asked[0].options, undefined);
  await service.ask("/v1/undo", BODY);
  assert.equal(asked[1].address, "/v1/undo");
  assert.equal(asked[1].options.method, "POST");
  assert.deepEqual(asked[1].options.headers, { "Content-Type": "application/json" });
  assert.deepEqual(asked[1].body, BODY);
});

for (const [body, message] of [
  ['{"detail": "this pixel is answered"}', "this pixel is answered"],
  ['{"detail": [{"loc": ["row"], "msg": "too long"}, {"msg": "no text"}]}', "too long; no text"],
  ['{"detail": {"loc": "row"}}', '{"loc":"row"}'],
  ["<html>", "<html>"],
  ["x".repeat(500), "x".repeat(200)],
  ["", "the service says 409"],
  ["{}", "the service says 409"],
]) {
  test(`an error says why: ${body.slice(0, 40)}`, async () => {
    const { service } = serviceOf(() => new Response(body, { status: 409 }));
    const isIt = (error) =>
      error instanceof ServiceError && error.status === 409 && error.message === message;
    await assert.rejects(service.ask("/v1/labels", BODY), isIt);
  });
}

test("what the network lost is sent again, with the same request name", async () => {
  const { service, asked, pauses } =
    serviceOf((_, attempt) => (attempt < 4 ? lost() : answer({ id: 1 })));
  assert.deepEqual(await service.send("/v1/labels", BODY), { id: 1 });
  assert.deepEqual(asked.map(({ body }) => body), [BODY, BODY, BODY, BODY]);
  assert.deepEqual(pauses, [300, 600, 1200]);
});

test("after five attempts the network is given up", async () => {
  const { service, asked } = serviceOf(lost);
  await assert.rejects(service.send("/v1/labels", BODY), /the network is gone/);
  assert.equal(asked.length, 5);
});

test("what the service refuses is not sent again", async () => {
  const { service, asked } = serviceOf(() => answer({ detail: "no" }, 500));
  await assert.rejects(service.send("/v1/labels", BODY), /^Error: no$|no/);
  assert.equal(asked.length, 1);
});

test("request names are unique", () => {
  const names = Array.from({ length: 100 }, uniqueName);
  assert.equal(new Set(names).size, 100);
  for (const name of names) assert.match(name, /^[0-9a-f]{32}$/);
});
