// Shows the quality of a live session's newest model: as text, as a learning curve, and by class.

import { element } from "./elements.js";

/** @import { Learned, Service, State } from "./api.js" */

const FEWEST = 10; // random pixels that an estimate needs at least, as in learned.py
const WIDTH = 300; // of the curve, in units of its viewBox
const HEIGHT = 120;
const SVG = "http://www.w3.org/2000/svg";

/**
 * A model on the curve. Shares that were not measured are null.
 * @typedef {{
 *   labels: number, accuracy: number | null, accuracy_low: number | null, accuracy_high: number | null,
 *   miou: number | null, confirmed: number | null,
 * }} Model
 */

/** The part of the page that shows the quality of the newest model. */
export class Quality {
  #graph = "";
  #details = element("models", HTMLDetailsElement);
  #service;
  #state;
  #failed;

  /**
   * @param {Pick<Service, "ask">} service
   * @param {() => State} state returns the current state of the service
   * @param {(error: unknown) => void} failed called if the curve cannot be loaded
   */
  constructor(service, state, failed) {
    this.#service = service;
    this.#state = state;
    this.#failed = failed;
  }

  /** Connects the curve, which is loaded while it is open. */
  listen() {
    this.#details.addEventListener("toggle", () => this.#load().catch(this.#failed));
  }

  /** Updates the display to the newest model. */
  follow() {
    const { learned, graph } = this.#state();
    this.#details.hidden = learned === null;
    element("quality", HTMLElement).textContent = learned ? quality(learned) : "";
    element("hint", HTMLElement).textContent = learned ? hint(learned) : "";
    if (graph === this.#graph) return;
    this.#graph = graph;
    this.#load().catch(this.#failed);
  }

  async #load() {
    if (!this.#details.open) return;
    /** @type {Model[]} */
    const models = await this.#service.ask("/v1/curve");
    element("curve", HTMLElement).replaceChildren(drawn(models));
    this.#fillTable();
  }

  #fillTable() {
    const { classes, learned } = this.#state();
    const audit = learned?.audit;
    const found = audit && audit.pixels >= FEWEST ? audit.by_class ?? {} : {};
    const rows = classes.flatMap((name) => {
      const [pixels, accuracy] = found[name] ?? [0, 0];
      return pixels ? [row(name, `${pixels}`, percent(accuracy))] : [];
    });
    element("by-class", HTMLTableElement).replaceChildren(row("class", "random pixels", "right"), ...rows);
  }
}

/**
 * A text with the number of training labels and the quality of the newest model.
 *
 * @param {Learned} learned
 * @returns {string}
 */
export function quality({ labels, audit, confirmed }) {
  const model = `The newest model has learned from ${labels} labels`;
  const guesses = confirmed === null ? "" : ` Its guess was the answer at ${percent(confirmed)} of the last questions.`;
  if (!audit || audit.pixels < FEWEST) {
    return `${model}; how good it is shows from ${FEWEST} random pixels on, of which there are ${audit?.pixels ?? 0}.${guesses}`;
  }
  const interval = `${percent(audit.accuracy_low)} to ${percent(audit.accuracy_high)}`;
  const miou = `mean IoU ${percent(audit.miou)} (${percent(audit.miou_low)} to ${percent(audit.miou_high)})`;
  return `${model}; it is right at ${percent(audit.accuracy)} (${interval}) of ${audit.pixels} random pixels, ${miou}.${guesses}`;
}

/**
 * A text with the effect of the last labels, and whether more labels are likely to help.
 *
 * @param {Learned} learned
 * @returns {string}
 */
export function hint({ trend }) {
  if (!trend) return "";
  const points = (/** @type {number} */ share) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;
  const brought = `The last ${trend.labels} labels brought ${points(trend.accuracy)} points of accuracy and ${points(trend.miou)} of mean IoU.`;
  return trend.settled ? `${brought} For ${trend.settled} labels no change was larger than chance: you may stop.` : brought;
}

/**
 * Draws the learning curve: accuracy with its interval, mean IoU, confirmed guesses.
 *
 * @param {Model[]} models
 * @returns {SVGElement}
 */
export function drawn(models) {
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  picture.setAttribute("aria-label", "Accuracy, mean IoU and confirmed guesses over the number of labels");
  const most = Math.max(1, ...models.map(({ labels }) => labels));
  const { band, lines } = geometry(models, most);
  for (const share of [0, 0.5, 1]) {
    const y = `${HEIGHT * (1 - share)}`;
    picture.append(shape("line", { class: "rule", x1: "0", x2: `${WIDTH}`, y1: y, y2: y }));
  }
  picture.append(shape("polygon", { class: "interval", points: band }));
  for (const [name, points] of Object.entries(lines)) {
    picture.append(shape("polyline", { class: name, points }));
  }
  return picture;
}

/**
 * The points of the curve in SVG's syntax.
 *
 * @param {Model[]} models
 * @param {number} most number of labels at the right end
 * @returns {{ band: string, lines: Record<"accuracy" | "miou" | "confirmed", string> }}
 */
export function geometry(models, most) {
  const points = (/** @type {Model[]} */ some, /** @type {Exclude<keyof Model, "labels">} */ name) => some.flatMap((model) => {
    const share = model[name];
    if (share === null) return [];
    return [`${((WIDTH * model.labels) / most).toFixed(1)},${(HEIGHT * (1 - share)).toFixed(1)}`];
  });
  const back = [...models].reverse();
  return {
    band: [...points(models, "accuracy_high"), ...points(back, "accuracy_low")].join(" "),
    lines: {
      accuracy: points(models, "accuracy").join(" "),
      miou: points(models, "miou").join(" "),
      confirmed: points(models, "confirmed").join(" "),
    },
  };
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/**
 * @param {string} kind
 * @param {Record<string, string>} attributes
 */
function shape(kind, attributes) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, kind));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** @param {string[]} cells */
function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return made;
}
