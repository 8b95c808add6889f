// When the page asks the service again without an answer.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isDue } from "../../scorer/service/page/presence.js";

const due = (changes) =>
  isDue({ now: 1_000_000, active: 1_000_000, filled: 970_000, isShown: true, isLive: false, ...changes });

test("leases are renewed every thirty seconds", () => {
  assert.equal(due({}), true);
  assert.equal(due({ filled: 970_001 }), false);
});

test("where models come and go, the page asks every three seconds", () => {
  assert.equal(due({ isLive: true, filled: 997_000 }), true);
  assert.equal(due({ isLive: true, filled: 997_001 }), false);
});

test("where there is nothing to show, the page asks every second", () => {
  assert.equal(due({ isShown: false, filled: 999_000 }), true);
  assert.equal(due({ isShown: false, filled: 999_001 }), false);
});

test("after ten minutes without anybody the pixels are left to others", () => {
  assert.equal(due({ active: 400_000 }), true);
  assert.equal(due({ active: 399_999 }), false);
  assert.equal(due({ active: 399_999, isShown: false }), false);
});
