// Geometry of the view.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  centreOnScreen, CROP_SIZE, cropSquare, cropView, fitted, moved, ringRadius, zoomed, pixelAt,
} from "../../scorer/service/page/view.js";

/** The position in the photograph of a point of the screen. */
const original = (view, point) => ({
  x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale,
});

const close = (a, b) => {
  for (const key of Object.keys(b)) assert.ok(Math.abs(a[key] - b[key]) < 1e-9, `${key}: ${a[key]}`);
};

test("a wide photograph fills the width, and a tall one the height", () => {
  const window = { width: 300, height: 200 };
  assert.deepEqual(fitted(window, { width: 100, height: 20 }), { scale: 3, x: 0, y: 70 });
  assert.deepEqual(fitted(window, { width: 20, height: 100 }), { scale: 2, x: 130, y: 0 });
});

test("what lies under the point stays there while the view is zoomed", () => {
  const view = { scale: 2, x: 30, y: -10 };
  const point = { x: 77, y: 41 };
  for (const factor of [1.5, 1 / 1.5, 7]) {
    const after = zoomed(view, factor, point);
    close(after, { scale: 2 * factor });
    close(original(after, point), original(view, point));
  }
});

test("the zoom ends at its limits, and the point stays also there", () => {
  const view = { scale: 2, x: 30, y: -10 };
  const point = { x: 77, y: 41 };
  for (const [factor, scale] of [[1000, 64], [0.0001, 0.02]]) {
    const after = zoomed(view, factor, point);
    assert.equal(after.scale, scale);
    close(original(after, point), original(view, point));
    close(zoomed(after, factor, { x: 0, y: 0 }), after);
  }
});

test("dragging moves the photograph and keeps its scale", () => {
  assert.deepEqual(moved({ scale: 2, x: 30, y: -10 }, { x: 5, y: -3 }), { scale: 2, x: 35, y: -13 });
});

test("the centre of a pixel is half a pixel from its corner, and rows go down", () => {
  const view = { scale: 4, x: 100, y: 50 };
  const centre = centreOnScreen(view, { row: 2, col: 7 });
  assert.deepEqual(centre, { x: 130, y: 60 });
  assert.deepEqual(original(view, centre), { x: 7.5, y: 2.5 });
});

test("the ring has a smallest radius, and grows with a large pixel", () => {
  assert.equal(ringRadius({ scale: 3, x: 0, y: 0 }), 14);
  assert.equal(ringRadius({ scale: 40, x: 0, y: 0 }), 40);
});

test("the pixel is in the middle of the crop, and the square is around it", () => {
  const pixel = { row: 11, col: 300 };
  const view = cropView(pixel);
  close(centreOnScreen(view, pixel), { x: CROP_SIZE / 2, y: CROP_SIZE / 2 });
  const { start, size } = cropSquare(2);
  close({ size }, { size: view.scale + 4 });
  close({ middle: start + size / 2 }, { middle: CROP_SIZE / 2 });
});

test("the pixel under a point is the one whose centre is near, and beside the photograph is none", () => {
  const view = { scale: 4, x: 100, y: 50 };
  const photograph = { width: 20, height: 10 };
  assert.deepEqual(pixelAt(view, photograph, { x: 130, y: 60 }), { row: 2, col: 7 });
  assert.deepEqual(pixelAt(view, photograph, { x: 100, y: 50 }), { row: 0, col: 0 });
  for (const point of [{ x: 99, y: 60 }, { x: 130, y: 49 }, { x: 180, y: 60 }, { x: 130, y: 90 }]) {
    assert.equal(pixelAt(view, photograph, point), null);
  }
});
