// The queue of pixels that the service has leased to this annotator.

/** @import { Pixel, Query, Service, State } from "./api.js" */

const AHEAD = 3; // the number of pixels that the page holds at a time
const MOST = 20; // the largest number of pixels that the service gives at a time

/**
 * Whether two queries ask for the same pixel.
 *
 * @param {Pixel} a
 * @param {Pixel} b
 * @returns {boolean}
 */
export function isSamePixel(a, b) {
  return a.image === b.image && a.row === b.row && a.col === b.col;
}

/** The queue of one annotator. The first pixel is the one to show. */
export class Queue {
  /** The name of the annotator; "" until it is known. */
  annotator = "";
  /** The time of the end of the last refill, as of Date.now(). */
  filled = 0;
  /** @type {Query[]} */
  #pixels = [];
  /** @type {Set<Query>} queries whose answers have no receipt yet */
  #unsent = new Set();
  /** @type {Query[]} queries answered since the last refill began, and those without a receipt */
  #lately = [];
  /** @type {Query[]} queries in photographs that cannot be shown */
  #broken = [];
  /** The end of the last refill, for which the next one waits. */
  #filling = Promise.resolve();
  #service;
  #events;

  /**
   * @param {Pick<Service, "ask">} service
   * @param {State} state the state of the service at the start
   * @param {{ restarted: () => void, arrived: (query: Query) => void }} events restarted: another
   *   service responds at this address; arrived: a query is in the queue after a refill
   */
  constructor(service, state, events) {
    this.#service = service;
    this.state = state;
    this.#events = events;
  }

  /** The query to show, if there is one. @returns {Query | undefined} */
  get first() {
    return this.#pixels[0];
  }

  /** Whether an answer has no receipt yet. @returns {boolean} */
  get hasUnsent() {
    return this.#unsent.size > 0;
  }

  /**
   * Empties the queue for another annotator.
   *
   * @param {string} annotator
   */
  become(annotator) {
    this.annotator = annotator;
    this.#pixels = [];
  }

  /**
   * Asks the service for its state and for the pixels of this annotator, one refill at a time.
   *
   * @returns {Promise<void>}
   */
  refill() {
    const fill = () => this.#fill();
    this.#filling = this.#filling.then(fill, fill);
    return this.#filling;
  }

  /**
   * Replaces the queue by the service's, because a lease may have ended while the computer slept.
   * The state is requested first: if it says that the pool is ranked, an empty queue is final.
   */
  async #fill() {
    this.#lately = [...this.#unsent];
    const before = this.state;
    this.state = await this.#service.ask("/v1/state");
    if (before.started !== this.state.started) this.#events.restarted();
    const count = Math.min(MOST, AHEAD + this.#broken.length);
    const name = encodeURIComponent(this.annotator);
    /** @type {Query[]} */
    const got = await this.#service.ask(`/v1/queue?annotator=${name}&count=${count}`);
    const left = [...this.#lately, ...this.#broken];
    this.#pixels = got
      .filter((query) => !left.some((one) => isSamePixel(one, query)))
      .map((query) => this.#pixels.find((one) => isSamePixel(one, query)) ?? query);
    this.#pixels.forEach(this.#events.arrived);
    this.filled = Date.now();
  }

  /**
   * Removes a query, because its answer is being sent.
   *
   * @param {Query} query
   */
  answered(query) {
    this.#remove(query);
    this.#lately.push(query);
    this.#unsent.add(query);
  }

  /**
   * Notes that the service has acknowledged the answer to a query, or cannot be reached.
   *
   * @param {Query} query
   */
  settled(query) {
    this.#unsent.delete(query);
  }

  /**
   * Puts a query at the front, because it must be answered again.
   *
   * @param {Query} query
   */
  putFirst(query) {
    this.#remove(query);
    this.#pixels.unshift(query);
  }

  /** Skips the first query, because its photograph cannot be shown. */
  passOver() {
    this.#broken.push(...this.#pixels.splice(0, 1));
  }

  /** @param {Query} query */
  #remove(query) {
    this.#pixels = this.#pixels.filter((one) => !isSamePixel(one, query));
  }
}
