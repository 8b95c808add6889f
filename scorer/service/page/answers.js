// Sends answers to the service in the order in which they were given.

import { isFree, ServiceError, uniqueName } from "./api.js";

/** @import { Answer, Query, Service } from "./api.js" */
/** @import { Queue } from "./queue.js" */

const NOT_FOUND = 404; // the service did not ask for this pixel
const CONFLICT = 409; // the pixel is answered, or leased to another annotator

/**
 * An annotator's answer about a pixel. name: the class, if the answer is a label.
 * @typedef {{ query: Query, answer: Answer, name: string | null, seconds: number }} Given
 */

/**
 * next: called after each answer and each undo, shows the next pixel. received: the service has
 * accepted an answer. undone: called with whether the service has undone an answer.
 * @typedef {{
 *   next: () => Promise<void>, received: (answer: Answer, name: string | null) => void,
 *   undone: (any: boolean) => void, failed: (error: unknown) => void,
 * }} AnswerEvents
 */

/** Sends answers one at a time, while the annotator already sees the next pixel. */
export class Answers {
  /** The end of the last request, for which the next one waits. */
  #sending = Promise.resolve();
  #service;
  #queue;
  #events;

  /**
   * @param {Pick<Service, "send">} service
   * @param {Queue} queue
   * @param {AnswerEvents} events
   */
  constructor(service, queue, events) {
    this.#service = service;
    this.#queue = queue;
    this.#events = events;
  }

  /**
   * Sends an answer, after all earlier ones.
   *
   * @param {Given} given
   */
  give({ query, answer, name, seconds }) {
    const { image, row, col } = query;
    const body = {
      image, row, col, answer, class_name: name, annotator: this.#queue.annotator, seconds,
      request: uniqueName(), ...(isFree(query) ? { free: true } : {}),
    };
    this.#queue.answered(query);
    this.#inOrder(() => this.#service.send("/v1/labels", body)
      .finally(() => this.#queue.settled(query))
      .then(() => this.#events.received(answer, name), (error) => this.#lost(query, error)));
  }

  /** Undoes the last answer, after all earlier requests. */
  undo() {
    this.#inOrder(() => this.#undo());
  }

  async #undo() {
    const body = { annotator: this.#queue.annotator, request: uniqueName() };
    const { undone, query } = await this.#service.send("/v1/undo", body);
    this.#events.undone(undone);
    if (query) this.#queue.putFirst(query);
  }

  /** @param {() => Promise<void>} act */
  #inOrder(act) {
    this.#sending = this.#sending.then(act).then(this.#events.next).catch(this.#events.failed);
  }

  /**
   * Asks again for an answer that did not reach the service, unless the service refuses the pixel.
   *
   * @param {Query} query
   * @param {unknown} error
   */
  #lost(query, error) {
    const refused = error instanceof ServiceError && [CONFLICT, NOT_FOUND].includes(error.status);
    const isAsked = !isFree(query); // a pixel chosen by the annotator is not asked for again
    if (!refused && isAsked) this.#queue.putFirst(query);
    this.#events.failed(error);
  }
}
