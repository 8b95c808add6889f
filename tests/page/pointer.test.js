// Mouse and fingers on the photograph.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Hand } from "../../scorer/service/page/pointer.js";

/** A hand on a photograph, and what it does. */
function handOn(isShown = true) {
  const done = [];
  const hand = new Hand({
    isShown: () => isShown,
    zoom: (factor, point) => done.push(["zoom", factor, point]),
    pan: (by) => done.push(["pan", by]),
  });
  return { hand, done };
}

test("one finger drags, step by step, from where it came down", () => {
  const { hand, done } = handOn();
  hand.move(1, { x: 9, y: 9 }); // a mouse without a button pressed
  hand.down(1, { x: 10, y: 10 });
  hand.move(1, { x: 15, y: 8 });
  hand.move(1, { x: 16, y: 8 });
  hand.up(1);
  hand.move(1, { x: 30, y: 30 });
  assert.deepEqual(done, [["pan", { x: 5, y: -2 }], ["pan", { x: 1, y: 0 }]]);
});

test("two fingers zoom by how much further they are apart, around their middle", () => {
  const { hand, done } = handOn();
  hand.down(1, { x: 0, y: 0 });
  hand.down(2, { x: 10, y: 0 });
  hand.move(2, { x: 20, y: 0 }); // the first distance is only noted
  hand.move(2, { x: 40, y: 0 });
  hand.move(1, { x: 20, y: 0 });
  assert.deepEqual(done, [["zoom", 2, { x: 20, y: 0 }], ["zoom", 0.5, { x: 30, y: 0 }]]);
});

test("a finger that comes down again begins a new pinch", () => {
  const { hand, done } = handOn();
  hand.down(1, { x: 0, y: 0 });
  hand.down(2, { x: 10, y: 0 });
  hand.move(2, { x: 20, y: 0 });
  hand.up(2);
  hand.down(2, { x: 80, y: 0 });
  hand.move(2, { x: 90, y: 0 });
  assert.deepEqual(done, []);
});

test("nothing moves where nothing is shown", () => {
  const { hand, done } = handOn(false);
  hand.down(1, { x: 0, y: 0 });
  hand.move(1, { x: 5, y: 5 });
  assert.deepEqual(done, []);
});
