// How good the newest model is, in words and as a curve.

import assert from "node:assert/strict";
import { test } from "node:test";

import { geometry, hint, quality } from "../../scorer/service/page/quality.js";

const audit = { pixels: 40, accuracy: 0.8, accuracy_low: 0.654, accuracy_high: 0.895, miou: 0.5, miou_low: 0.4, miou_high: 0.6 };
const learned = (changes) => ({ labels: 57, audit: null, confirmed: null, trend: null, ...changes });

test("the quality of a model has its interval", () => {
  const later = "The newest model has learned from 57 labels; how good it is shows from 10 random pixels on, of which there are";
  assert.equal(quality(learned()), `${later} 0.`);
  assert.equal(
    quality(learned({ audit: { ...audit, pixels: 9 } })),
    `${later} 9.`,
  );
  assert.equal(
    quality(learned({ audit, confirmed: 0.71 })),
    "The newest model has learned from 57 labels; it is right at 80 % (65 % to 90 %) of 40 random pixels,"
      + " mean IoU 50 % (40 % to 60 %). Its guess was the answer at 71 % of the last questions.",
  );
});

test("the hint says what the last labels brought, and when to stop", () => {
  const trend = { labels: 104, accuracy: 0.0123, miou: -0.02, settled: null };
  assert.equal(hint(learned()), "");
  assert.match(hint(learned({ trend })), /^The last 104 labels brought \+1\.2 points of accuracy and −2\.0 of mean IoU\.$/);
  assert.match(hint(learned({ trend: { ...trend, settled: 200 } })), /For 200 labels .*: you may stop\.$/);
});

test("the curve passes over what nothing has measured, and its interval is closed", () => {
  const none = { accuracy: null, accuracy_low: null, accuracy_high: null, miou: null, confirmed: null };
  const models = [
    { ...none, labels: 20 },
    { labels: 50, accuracy: 0.5, accuracy_low: 0.25, accuracy_high: 0.75, miou: 0, confirmed: null },
    { labels: 100, accuracy: 1, accuracy_low: 0.5, accuracy_high: 1, miou: 0.5, confirmed: 1 },
  ];
  const { band, lines } = geometry(models, 100);
  assert.equal(lines.accuracy, "150.0,60.0 300.0,0.0");
  assert.equal(lines.miou, "150.0,120.0 300.0,60.0");
  assert.equal(lines.confirmed, "300.0,0.0");
  assert.equal(band, "150.0,30.0 300.0,0.0 300.0,60.0 150.0,90.0");
});
