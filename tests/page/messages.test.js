// What the page says in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace, place, progress, receipt, whyNothing } from "../../scorer/service/page/messages.js";
import { state } from "./service.js";

test("an empty screen says why it is empty", () => {
  const why = (changes) => whyNothing(state(changes));
  assert.equal(why({ failure: "no disk", pool_ranked: false }), "The ranking has stopped.");
  assert.equal(why({ pool_ranked: false }), "The pool is being ranked …");
  assert.equal(why({ pixels_left: 2 }), "Others have the pixels that are left.");
  assert.match(why({ pixels_left: 0 }), /^All pixels are answered\. Next: trainer fit/);
  assert.equal(why({ classes: ["sky"], grows: true }), "Name at least two classes, below.");
  assert.equal(why({ just_in_time: true }), "The next pixels are being chosen …");
});

test("the progress says what is left, and how far the ranking is while it lasts", () => {
  const left = { pixels_left: 7, images_left: 4, images: 9 };
  assert.equal(progress(state(left), 3), "7 pixels of 4 images left, 3 in the last minute");
  assert.equal(
    progress(state({ ...left, pool_ranked: false, ranked: 5 }), 0),
    "7 pixels of 4 images left, 0 in the last minute, 5 of 9 images ranked",
  );
});

test("in a live session the progress is what was answered", () => {
  const live = { just_in_time: true, answers: 12, grows: true };
  const first = "; from 20 labels of two classes on there is a model";
  assert.equal(progress(state(live), 3), `12 answers, 3 in the last minute${first}`);
  assert.equal(progress(state({ ...live, learned: {} }), 3), "12 answers, 3 in the last minute");
  assert.equal(progress(state({ ...live, classes: ["sky"] }), 3), "Name at least two classes, below.");
});

test("a receipt names the answer", () => {
  assert.equal(receipt("label", "sky"), "sky. Backspace takes it back.");
  assert.equal(receipt("unsure", null), "unsure. Backspace takes it back.");
  assert.equal(receipt("skip", null), "skipped. Backspace takes it back.");
});

test("the answers of the last minute are counted, also after a reload", () => {
  const kept = new Map();
  const storage = {
    getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value),
  };
  const pace = new Pace(storage);
  assert.equal(pace.lastMinute(1000), 0);
  for (const time of [1000, 2000, 40000]) pace.add(time);
  assert.equal(pace.lastMinute(60500), 3);
  assert.equal(new Pace(storage).lastMinute(61500), 2);
  assert.equal(new Pace(storage).lastMinute(100000), 0);
});

test("a pixel that is asked for another reason says so", () => {
  const where = (source) => place({ image: "a.jpg", row: 1, col: 2, guesses: [], source });
  assert.equal(where("asked"), "a.jpg, row 1, col 2");
  assert.match(where("audit"), /a random pixel, which measures the model$/);
  assert.match(where("free"), /Escape returns to the question$/);
  const again = { image: "a.jpg", row: 1, col: 2, guesses: ["sky", "road"], source: "free", reviews: 7 };
  assert.match(place(again), /answered “sky”; a model .* says “road”/);
});
