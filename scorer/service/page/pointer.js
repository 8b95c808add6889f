// Mouse and touch on the photograph: dragging moves it, the wheel and two fingers zoom.

/** @import { Point } from "./view.js" */

const WHEEL = 400; // turn of the wheel that enlarges the photograph by the factor e

/**
 * The actions of mouse and touch. isShown: whether there is a photograph to move. choose: chooses a
 * pixel, by a double click.
 * @typedef {{
 *   isShown: () => boolean, zoom: (factor: number, point: Point) => void,
 *   pan: (by: Point) => void, choose: (point: Point) => void,
 * }} Movable
 */

/**
 * Listens to mouse and touch on an element.
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

/** The fingers on the photograph, or the mouse with a button pressed. */
export class Hand {
  /** @type {Map<number, Point>} by the browser's pointer id */
  #fingers = new Map();
  /** The distance between two fingers at their last movement; 0 before it. */
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
