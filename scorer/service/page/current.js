// The pixel on the screen: the first of the queue, once its photograph is loaded.

import { isFree } from "./api.js";

/** @import { Query } from "./api.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Queue } from "./queue.js" */

/**
 * A pixel on the screen. since: when it was shown, in the time of performance.now().
 * @typedef {{ query: Query, image: HTMLImageElement, since: number }} Shown
 */

/**
 * shown: another pixel is on the screen. nothing: no pixel is left to show. failed: a photograph
 * cannot be loaded.
 * @typedef {{
 *   shown: (shown: Shown) => void, nothing: () => void, failed: (error: unknown) => void,
 * }} CurrentEvents
 */

/** The pixel that the annotator is currently asked for. */
export class Current {
  /** @type {Shown | null} null while the next pixel is being loaded, or if there is none */
  shown = null;
  #queue;
  #pictures;
  #events;

  /**
   * @param {Pick<Queue, "first" | "passOver">} queue
   * @param {Pick<Pictures, "load">} pictures
   * @param {CurrentEvents} events
   */
  constructor(queue, pictures, events) {
    this.#queue = queue;
    this.#pictures = pictures;
    this.#events = events;
  }

  /**
   * Shows a pixel of the photograph instead of the question, which stays in the queue.
   *
   * @param {{ row: number, col: number }} pixel
   */
  choose(pixel) {
    if (!this.shown) return;
    const { image, query } = this.shown;
    /** @type {Query} */
    const chosen = { image: query.image, ...pixel, guesses: [], source: "free" };
    this.shown = { query: chosen, image, since: performance.now() };
    this.#events.shown(this.shown);
  }

  /** Returns from a chosen pixel to the question. */
  comeBack() {
    if (!this.#isFree) return;
    this.shown = null;
    this.show().catch(this.#events.failed);
  }

  get #isFree() {
    return this.shown !== null && isFree(this.shown.query);
  }

  /**
   * Shows the first pixel of the queue. A pixel whose photograph cannot be loaded, for example
   * because the file is gone, is skipped.
   *
   * @returns {Promise<void>}
   */
  async show() {
    const query = this.#queue.first;
    if (this.#isFree) return;
    if (!query) return this.#nothing();
    if (this.shown?.query === query) return;
    const image = await this.#pictures.load("photograph", query.image).catch((error) => {
      this.#events.failed(error);
      return null;
    });
    if (this.#queue.first !== query) return; // the queue has changed meanwhile
    if (!image) {
      this.#queue.passOver();
      return this.show();
    }
    this.shown = { query, image, since: performance.now() };
    this.#events.shown(this.shown);
  }

  #nothing() {
    this.shown = null;
    this.#events.nothing();
  }

  /** Removes the pixel from the screen, because it belonged to another annotator. */
  clear() {
    this.shown = null;
  }

  /**
   * Takes the pixel on the screen, to answer it, with the seconds for which it was shown; null if
   * there is none or it was already taken.
   *
   * @returns {{ query: Query, seconds: number } | null}
   */
  take() {
    if (!this.shown) return null;
    const { query, since } = this.shown;
    this.shown = null;
    return { query, seconds: (performance.now() - since) / 1000 };
  }
}
