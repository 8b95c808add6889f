// The pixel on the screen: the first of the queue, once its photograph is loaded.

import { isFree } from "./api.js";

/** @import { Query } from "./api.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Queue } from "./queue.js" */

/**
 * A pixel on the screen. since: when it came there, as performance.now() gives it.
 * @typedef {{ query: Query, image: HTMLImageElement, since: number }} Shown
 */

/**
 * shown: another pixel is on the screen. nothing: there is none to show. failed: a photograph
 * cannot be loaded.
 * @typedef {{
 *   shown: (shown: Shown) => void, nothing: () => void, failed: (error: unknown) => void,
 * }} CurrentEvents
 */

/** The pixel that the annotator is asked for now. */
export class Current {
  /** @type {Shown | null} null while the next pixel is being loaded, or where there is none */
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
   * Puts a pixel of the photograph on the screen in the place of the question, which stays in the
   * queue.
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
   * Puts the first pixel of the queue on the screen. A pixel whose photograph cannot be loaded,
   * for example because the file is gone, is passed over.
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

  /** Forgets the pixel on the screen, because it was another annotator's. */
  clear() {
    this.shown = null;
  }

  /**
   * The pixel on the screen with the seconds that it was there, because it is answered now; null
   * where there is none. It can be taken once.
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
