// The geometry of photographs on the screen; uses no elements of the page.

const LEAST_SCALE = 0.02;
const MOST_SCALE = 64;
const RING = 14; // the smallest radius of the ring, in pixels of the screen
const CROP = 40; // pixels of the photograph across the crop, besides the one in the middle

/** One step of the zoom by a key or a button. */
export const ZOOM_STEP = 1.5;

/** The width and the height of the crop, in pixels of its canvas. */
export const CROP_SIZE = 240;

/**
 * A position on the screen is a position in the photograph times the scale, plus (x, y).
 * @typedef {{ scale: number, x: number, y: number }} View
 */

/** @typedef {{ width: number, height: number }} Size */

/** @typedef {{ x: number, y: number }} Point */

/**
 * The place of a pixel in its photograph.
 * @typedef {{ row: number, col: number }} Place
 */

/**
 * The view that centres a photograph in a window, at the largest scale at which it fits.
 *
 * @param {Size} window
 * @param {Size} photograph
 * @returns {View}
 */
export function fitted(window, photograph) {
  const scale = Math.min(window.width / photograph.width, window.height / photograph.height);
  const x = (window.width - photograph.width * scale) / 2;
  const y = (window.height - photograph.height * scale) / 2;
  return { scale, x, y };
}

/**
 * A view enlarged by a factor, within the limits of the scale. The pixel under a point of the
 * screen stays there.
 *
 * @param {View} view
 * @param {number} factor
 * @param {Point} point
 * @returns {View}
 */
export function zoomed(view, factor, point) {
  const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, view.scale * factor));
  const real = scale / view.scale;
  return { scale, x: point.x - (point.x - view.x) * real, y: point.y - (point.y - view.y) * real };
}

/**
 * A view moved by a distance on the screen.
 *
 * @param {View} view
 * @param {Point} by
 * @returns {View}
 */
export function moved(view, by) {
  return { ...view, x: view.x + by.x, y: view.y + by.y };
}

/**
 * The position of a pixel's centre on the screen.
 *
 * @param {View} view
 * @param {Place} pixel
 * @returns {Point}
 */
export function centreOnScreen(view, pixel) {
  return { x: view.x + (pixel.col + 0.5) * view.scale, y: view.y + (pixel.row + 0.5) * view.scale };
}

/**
 * The pixel of a photograph under a point of the screen.
 *
 * @param {View} view
 * @param {Size} photograph
 * @param {Point} point
 * @returns {Place | null} null outside the photograph
 */
export function pixelAt(view, photograph, point) {
  const row = Math.floor((point.y - view.y) / view.scale);
  const col = Math.floor((point.x - view.x) / view.scale);
  const isInside = row >= 0 && row < photograph.height && col >= 0 && col < photograph.width;
  return isInside ? { row, col } : null;
}

/**
 * The radius of the ring around a pixel: large enough that the ring never covers the pixel.
 *
 * @param {View} view
 * @returns {number} in pixels of the screen
 */
export function ringRadius(view) {
  return Math.max(RING, view.scale);
}

/**
 * The view of the crop, in which a pixel is in the middle and magnified.
 *
 * @param {Place} pixel
 * @returns {View}
 */
export function cropView(pixel) {
  const scale = CROP_SIZE / (CROP + 1);
  return { scale, x: (CROP / 2 - pixel.col) * scale, y: (CROP / 2 - pixel.row) * scale };
}

/**
 * The square around the pixel in the middle of the crop.
 *
 * @param {number} margin between the pixel and the square
 * @returns {{ start: number, size: number }} start: its left and upper edge
 */
export function cropSquare(margin) {
  const scale = CROP_SIZE / (CROP + 1);
  return { start: (CROP / 2) * scale - margin, size: scale + 2 * margin };
}
