// The page's messages: the place of the pixel, the progress, receipts and errors.

import { isAgain } from "./api.js";
import { element } from "./elements.js";

/** @import { Answer, Query, State } from "./api.js" */

const MINUTE_MS = 60000;
const STORED = "balentacq-times"; // the storage key of the times of answers

/**
 * Shows which pixel is asked for.
 *
 * @param {Query} query
 */
export function tellPlace(query) {
  setText("where", place(query));
  setText("nothing", "");
}

/**
 * Shows why there is no pixel to answer.
 *
 * @param {State} state
 */
export function tellNothing(state) {
  setText("where", "");
  setText("nothing", whyNothing(state));
}

/**
 * Shows the progress, and the error that has stopped the ranking.
 *
 * @param {State} state
 * @param {number} lastMinute the number of answers in the last minute
 */
export function tellProgress(state, lastMinute) {
  setText("progress", progress(state, lastMinute));
  if (state.failure) tellError(new Error(`ranking stopped: ${state.failure}`));
}

/**
 * Shows the receipt of an answer.
 *
 * @param {string} text
 */
export function tellReceipt(text) {
  setText("receipt", text);
}

/**
 * Shows an error until the next answer.
 *
 * @param {unknown} error
 */
export function tellError(error) {
  setText("message", error instanceof Error ? error.message : String(error));
}

/** Hides the last error. */
export function clearError() {
  setText("message", "");
}

/**
 * The reason why there is no pixel to answer.
 *
 * @param {Pick<State, "classes" | "grows" | "failure" | "pool_ranked" | "pixels_left" | "just_in_time">} state
 * @returns {string}
 */
export function whyNothing(state) {
  if (state.classes.length < 2 && state.grows) return "Name at least two classes, below.";
  if (state.failure) return "The ranking has stopped.";
  if (state.just_in_time) return "The next pixels are being chosen …";
  if (!state.pool_ranked) return "The pool is being ranked …";
  if (state.pixels_left) return "Others have the pixels that are left.";
  return "All pixels are answered. Next: trainer fit, python -m export onnx, and POST /v1/reload here; then new pixels come.";
}

/**
 * The place of a pixel, and the reason for the question if it is not the usual one.
 *
 * @param {Query} query
 * @returns {string}
 */
export function place(query) {
  const where = `${query.image}, row ${query.row}, col ${query.col}`;
  if (isAgain(query)) return `${where}: it was answered “${query.guesses[0]}”; a model that has not seen this answer says “${query.guesses[1]}”. Confirm or mend it.`;
  if (query.source === "free") return `${where}: your own pixel; Escape returns to the question`;
  if (query.source === "audit") return `${where}: a random pixel, which measures the model`;
  return where;
}

/**
 * The progress of the annotation and of the ranking.
 *
 * @param {Pick<State, "pixels_left" | "images_left" | "pool_ranked" | "ranked" | "images" | "classes" | "grows" |
 *   "just_in_time" | "answers" | "learned">} state
 * @param {number} lastMinute the number of answers in the last minute
 * @returns {string}
 */
export function progress(state, lastMinute) {
  if (state.grows && state.classes.length < 2) return "Name at least two classes, below.";
  const first = state.grows && !state.learned ? "; from 20 labels of two classes on there is a model" : "";
  if (state.just_in_time) return `${state.answers} answers, ${lastMinute} in the last minute${first}`;
  const left = `${state.pixels_left} pixels of ${state.images_left} images left`;
  const ranked = state.pool_ranked ? "" : `, ${state.ranked} of ${state.images} images ranked`;
  return `${left}, ${lastMinute} in the last minute${ranked}`;
}

/**
 * The receipt of an answer.
 *
 * @param {Answer} answer
 * @param {string | null} name the class, if the answer is a label
 * @returns {string}
 */
export function receipt(answer, name) {
  const said = { label: name, unsure: "unsure", skip: "skipped" };
  return `${said[answer]}. Backspace takes it back.`;
}

/** Counts the answers of the last minute, also across reloads of the page. */
export class Pace {
  /** @type {number[]} when answers were received, in the time of Date.now() */
  #times;
  #storage;

  /** @param {Pick<Storage, "getItem" | "setItem">} storage of the browser, for this page */
  constructor(storage) {
    this.#storage = storage;
    this.#times = JSON.parse(storage.getItem(STORED) ?? "[]");
  }

  /** @param {number} now when an answer was received */
  add(now) {
    this.#times.push(now);
  }

  /**
   * The number of answers in the minute before now.
   *
   * @param {number} now
   * @returns {number}
   */
  lastMinute(now) {
    this.#times = this.#times.filter((time) => time > now - MINUTE_MS);
    this.#storage.setItem(STORED, JSON.stringify(this.#times));
    return this.#times.length;
  }
}

/**
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  element(id, HTMLElement).textContent = text;
}
