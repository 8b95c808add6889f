// Requests to the service, and the types of its responses.

const ATTEMPTS = 5; // number of times that a request is sent before it fails
const FIRST_PAUSE_MS = 300; // after the first attempt; each further pause is twice as long

/**
 * A pixel of a photograph.
 * @typedef {{ image: string, row: number, col: number }} Pixel
 */

/**
 * A pixel to answer. guesses: names of classes, the model's prediction first. source: "asked" if a
 * model has chosen it, "audit" if it is a random pixel that measures the model, "free" if the
 * annotator has chosen it. reviews: the number of an earlier answer that is reviewed, or null;
 * guesses are then that answer and the model's prediction.
 * @typedef {Pixel & {
 *   guesses: string[], source?: "asked" | "audit" | "free", reviews?: number | null,
 * }} Query
 */

/**
 * A model's quality measured at random pixels: shares, with the ends of a 95 % interval.
 * by_class: for a class, the number of pixels and the share that the model predicts correctly.
 * @typedef {{
 *   pixels: number, accuracy: number, accuracy_low: number, accuracy_high: number,
 *   miou: number, miou_low: number, miou_high: number,
 *   by_class?: Record<string, [number, number]>,
 * }} Audit
 */

/**
 * The effect of the last labels, as differences of shares. settled: the number of labels without a
 * change larger than chance, or null.
 * @typedef {{ labels: number, accuracy: number, miou: number, settled: number | null }} Trend
 */

/**
 * The newest model of a live session. labels: number of answers it was trained on. confirmed: share
 * of the last guesses that annotators confirmed.
 * @typedef {{
 *   labels: number, audit: Audit | null, confirmed: number | null, trend: Trend | null,
 * }} Learned
 */

/**
 * The state of the service. colours: one for each class, as "#rrggbb". started: when the service
 * was started. failure: why the ranking has stopped, or null. grows: whether classes can be added.
 * second_looks: number of answers that can be reviewed. just_in_time: whether the queue holds only
 * the next few pixels.
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
 * Whether a query reviews an earlier answer.
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

/** An error response of the service. */
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

/** Client of the service that delivered this page. */
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
   * Sends one request: a GET, or a POST if there is a body.
   *
   * @param {string} address
   * @param {object} [body]
   * @returns {Promise<any>} the JSON of the response
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
   * Sends a request, and repeats it after network errors. The body with its request name stays the
   * same, so that the service counts all attempts as one request.
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
 * A unique name for a request.
 *
 * crypto.randomUUID would do the same, but browsers restrict it to https and localhost.
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
