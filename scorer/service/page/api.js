// Requests to the service, and what the service answers.

const ATTEMPTS = 5; // how often a request is sent before the network is given up
const FIRST_PAUSE_MS = 300; // after the first attempt; each further pause is twice as long

/**
 * A pixel of a photograph.
 * @typedef {{ image: string, row: number, col: number }} Pixel
 */

/**
 * A pixel to answer. guesses: names of classes, the model's own first. source: "asked" where a
 * model has chosen it, "audit" where it is a random pixel that measures the model, "free" where the
 * annotator has chosen it. reviews: the number of an earlier answer that is looked at again, or
 * null; guesses are then that answer and what a model says.
 * @typedef {Pixel & {
 *   guesses: string[], source?: "asked" | "audit" | "free", reviews?: number | null,
 * }} Query
 */

/**
 * What random pixels say of a model: shares of the pixels, with the ends of a 95 % interval.
 * by_class: how many pixels of a class there are, and the share at which the model is right.
 * @typedef {{
 *   pixels: number, accuracy: number, accuracy_low: number, accuracy_high: number,
 *   miou: number, miou_low: number, miou_high: number,
 *   by_class?: Record<string, [number, number]>,
 * }} Audit
 */

/**
 * What the last labels brought, as differences of shares. settled: for so many labels no change was
 * larger than chance, or null.
 * @typedef {{ labels: number, accuracy: number, miou: number, settled: number | null }} Trend
 */

/**
 * The newest model of a live session. labels: how many answers it learned from. confirmed: the share
 * of the last guesses that annotators confirmed.
 * @typedef {{
 *   labels: number, audit: Audit | null, confirmed: number | null, trend: Trend | null,
 * }} Learned
 */

/**
 * What the service says of itself. colours: one for each class, as "#rrggbb". started: when the
 * service was started. failure: why the ranking has stopped, or null. grows: classes
 * can be added. second_looks: how many answers can be looked at again. just_in_time: the
 * queue holds the next few pixels alone.
 * @typedef {{
 *   classes: string[], colours: string[], has_map: boolean, started: string, graph: string, images: number,
 *   ranked: number, failure: string | null, pixels_left: number, images_left: number,
 *   pool_ranked: boolean, grows: boolean, second_looks: number, answers: number, just_in_time: boolean,
 *   learned: Learned | null,
 * }} State
 */

/**
 * The kinds of answers that an annotator can give.
 * @typedef {"label" | "unsure" | "skip"} Answer
 */

/**
 * The function of the browser that sends requests, or its replacement in a test.
 * @typedef {(address: string, options?: RequestInit) => Promise<Response>} Fetch
 */

/**
 * Whether a query is an answer that is looked at again.
 *
 * @param {Query} query
 * @returns {boolean}
 */
export function isAgain(query) {
  return typeof query.reviews === "number";
}

/**
 * Whether the annotator has chosen the pixel of a query.
 *
 * @param {Query} query
 * @returns {boolean}
 */
export function isFree(query) {
  return query.source === "free" && !isAgain(query);
}

/** An answer of the service that is an error. */
export class ServiceError extends Error {
  /**
   * @param {string} message
   * @param {number} status the status code of HTTP
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The service that this page came from. */
export class Service {
  #fetch;
  #pause;

  /**
   * @param {Fetch} fetch
   * @param {(milliseconds: number) => Promise<void>} pause
   */
  constructor(fetch, pause = wait) {
    this.#fetch = fetch;
    this.#pause = pause;
  }

  /**
   * The answer of the service to one request: a GET, or a POST where there is a body.
   *
   * @param {string} address
   * @param {object} [body]
   * @returns {Promise<any>} the JSON of the answer
   */
  async ask(address, body) {
    const options = body && {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    };
    const fetch = this.#fetch; // the browser's own function must not be called as a method
    const response = await fetch(address, options);
    if (!response.ok) {
      const message = reason(await response.text()) || `the service says ${response.status}`;
      throw new ServiceError(message, response.status);
    }
    return response.json();
  }

  /**
   * Sends a request again where the network loses it. The body is the same each time, with the
   * same request name, so that the service counts all attempts as one request.
   *
   * @param {string} address
   * @param {object} body
   * @returns {Promise<any>} the JSON of the answer
   */
  async send(address, body) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.ask(address, body);
      } catch (error) {
        if (error instanceof ServiceError || attempt === ATTEMPTS) throw error;
        await this.#pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      }
    }
  }
}

/**
 * A name for a request that no other request has.
 *
 * crypto.randomUUID would do the same, but browsers offer it to https and to this machine only.
 *
 * @returns {string} 32 hexadecimal digits
 */
export function uniqueName() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The reason in the body of an error: its field "detail", or the beginning of any other text.
 *
 * @param {string} text
 * @returns {string}
 */
function reason(text) {
  try {
    const { detail } = JSON.parse(text);
    if (typeof detail === "string") return detail;
    if (Array.isArray(detail)) return detail.map(({ msg }) => msg).join("; ");
    return JSON.stringify(detail);
  } catch {
    return text.slice(0, 200);
  }
}

/**
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
