// Mouse and fingers on the photograph: dragging moves it, the wheel and two fingers zoom.

/** @import { Point } from "./view.js" */

const WHEEL = 400; // how far the wheel turns until the photograph is e times as large

/**
 * What the mouse and the fingers do. isShown: whether there is a photograph to move. choose: a
 * pixel is chosen by a double click.
 * @typedef {{
 *   isShown: () => boolean, zoom: (factor: number, point: Point) => void,
 *   pan: (by: Point) => void, choose: (point: Point) => void,
 * }} Movable
 */

/**
 * Listens to the mouse and the fingers on an element.
 *
 * @param {HTMLElement} stage
 * @param {Movable} photograph
 */
export function listenToPointers(stage, photograph) {
  const hand = new Hand(photograph);
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    hand.down(event.pointerId, pointOf(event));
  });
  stage.addEventListener("pointermove", (event) => hand.move(event.pointerId, pointOf(event)));
  stage.addEventListener("pointerup", (event) => hand.up(event.pointerId));
  stage.addEventListener("pointercancel", (event) => hand.up(event.pointerId));
  stage.addEventListener("dblclick", (event) => photograph.choose(pointOf(event)));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    photograph.zoom(Math.exp(-event.deltaY / WHEEL), pointOf(event));
  }, { passive: false });
}

/** The fingers, or the mouse with a button pressed, that are on the photograph now. */
export class Hand {
  /** @type {Map<number, Point>} from the number that the browser gives to a finger */
  #fingers = new Map();
  /** The distance between two fingers when they last moved; 0 before they did. */
  #distance = 0;
  #photograph;

  /** @param {Movable} photograph */
  constructor(photograph) {
    this.#photograph = photograph;
  }

  /**
   * @param {number} finger
   * @param {Point} point
   */
  down(finger, point) {
    this.#fingers.set(finger, point);
    this.#distance = 0;
  }

  /** @param {number} finger */
  up(finger) {
    this.#fingers.delete(finger);
  }

  /**
   * @param {number} finger
   * @param {Point} point
   */
  move(finger, point) {
    const before = this.#fingers.get(finger);
    if (!before || !this.#photograph.isShown()) return;
    this.#fingers.set(finger, point);
    const [first, second, third] = this.#fingers.values();
    if (first && second && !third) this.#pinch(first, second);
    else this.#photograph.pan({ x: point.x - before.x, y: point.y - before.y });
  }

  /**
   * @param {Point} a
   * @param {Point} b
   */
  #pinch(a, b) {
    const distance = Math.hypot(a.x - b.x, a.y - b.y);
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    if (this.#distance) this.#photograph.zoom(distance / this.#distance, middle);
    this.#distance = distance;
  }
}

/**
 * @param {MouseEvent} event
 * @returns {Point}
 */
function pointOf(event) {
  return { x: event.offsetX, y: event.offsetY };
}
