// The annotation page, which asks for one pixel at a time: this file connects the others.

import { Additions } from "./additions.js";
import * as annotator from "./annotator.js";
import { Answers } from "./answers.js";
import { Service } from "./api.js";
import { Buttons } from "./buttons.js";
import { Canvas } from "./canvas.js";
import { Current } from "./current.js";
import { element } from "./elements.js";
import { keepFocusOffButtons, listenToKeys } from "./keys.js";
import * as messages from "./messages.js";
import { Overlay } from "./overlay.js";
import { Pictures } from "./pictures.js";
import { listenToPointers } from "./pointer.js";
import { isDue, watch } from "./presence.js";
import { Quality } from "./quality.js";
import { Queue } from "./queue.js";

/** @import { Answer, Query, State } from "./api.js" */
/** @import { Meaning } from "./keys.js" */
/** @import { Point } from "./view.js" */

const failed = messages.tellError;

/** The page of one service. */
class Page {
  #pictures = new Pictures();
  #pace = new messages.Pace(sessionStorage);
  /** The number of classes that have buttons. */
  #classes = 0;
  #queue;
  #current;
  #answers;
  #canvas;
  #overlay;
  #buttons;
  #quality;
  #additions;

  /**
   * @param {Service} service
   * @param {State} state the state of the service at the start
   */
  constructor(service, state) {
    this.#queue = new Queue(service, state, {
      restarted: () => location.reload(),
      arrived: (query) => this.#prepare(query),
    });
    this.#current = new Current(this.#queue, this.#pictures, {
      shown: ({ query }) => this.#onShown(query), nothing: () => this.#onNothing(), failed,
    });
    this.#answers = new Answers(service, this.#queue, {
      next: () => this.#next(), failed,
      received: (answer, name) => this.#onReceipt(answer, name),
      undone: (any) => messages.tellReceipt(any ? "taken back" : "there is nothing to take back"),
    });
    const shown = () => this.#current.shown;
    this.#canvas = new Canvas(shown);
    const stateOfNow = () => this.#queue.state;
    this.#overlay = new Overlay(stateOfNow, this.#canvas, this.#pictures, shown, failed);
    const act = (/** @type {Meaning} */ meaning) => this.#act(meaning);
    this.#buttons = new Buttons(stateOfNow, () => shown()?.query, act);
    this.#quality = new Quality(service, stateOfNow, failed);
    this.#additions = new Additions(service, stateOfNow, () => this.#queue.annotator, {
      begun: () => messages.clearError(), changed: () => this.#next(), failed,
    });
  }

  /** Starts with the stored annotator's name, or asks for one. */
  async begin() {
    this.#listen();
    await this.#become(annotator.storedName());
  }

  /** @param {string} name "" asks for one */
  async #become(name) {
    const known = name || await annotator.askForName();
    this.#queue.become(known);
    this.#current.clear();
    annotator.keepName(known);
    await this.#next();
  }

  /** Refills the queue, and shows its first pixel. */
  async #next() {
    await this.#queue.refill();
    messages.tellProgress(this.#queue.state, this.#pace.lastMinute(Date.now()));
    this.#follow();
    await this.#current.show();
  }

  /** Shows the current state of the service. */
  #follow() {
    this.#overlay.follow();
    this.#quality.follow();
    this.#additions.follow();
    const { classes } = this.#queue.state;
    if (classes.length === this.#classes) return;
    this.#classes = classes.length;
    this.#buttons.draw();
  }

  /**
   * Executes the meaning of a key or a button.
   *
   * @param {Meaning} meaning
   */
  #act(meaning) {
    switch (meaning.act) {
      case "label": return this.#give("label", meaning.name);
      case "unsure": case "skip": return this.#give(meaning.act, null);
      case "undo": return this.#answers.undo();
      case "zoom": return this.#canvas.zoomOnPixel(meaning.factor);
      case "fit": return this.#canvas.fit();
      case "overlay": return this.#overlay.toggle(meaning.kind);
      case "search": return this.#buttons.search();
      case "return": return this.#current.comeBack();
      case "look": return this.#additions.look();
    }
  }

  /**
   * Answers the pixel on the screen. The next one is shown at once, before the receipt of this one.
   *
   * @param {Answer} answer
   * @param {string | null} name the class, if the answer is a label
   */
  #give(answer, name) {
    const taken = this.#current.take();
    if (!taken) return;
    messages.clearError();
    this.#answers.give({ ...taken, answer, name });
    if (this.#queue.first) this.#current.show().catch(failed);
  }

  /**
   * Shows a pixel that the annotator has chosen, instead of the question.
   *
   * @param {Point} point on the screen
   */
  #choose(point) {
    const pixel = this.#canvas.pixelAt(point);
    if (pixel) this.#current.choose(pixel);
  }

  /** @param {Query} query */
  #prepare(query) {
    this.#pictures.load("photograph", query.image).catch(() => {}); // reported when it is shown
  }

  /** @param {Query} query */
  #onShown(query) {
    this.#canvas.fitAnother();
    this.#overlay.reload();
    messages.tellPlace(query);
    this.#buttons.draw();
    this.#canvas.draw();
  }

  #onNothing() {
    messages.tellNothing(this.#queue.state);
    this.#canvas.draw();
    this.#buttons.draw();
  }

  /**
   * @param {Answer} answer
   * @param {string | null} name
   */
  #onReceipt(answer, name) {
    this.#pace.add(Date.now());
    messages.tellReceipt(messages.receipt(answer, name));
  }

  #listen() {
    this.#canvas.listen();
    this.#overlay.listen();
    this.#buttons.listen();
    this.#quality.listen();
    this.#additions.listen();
    keepFocusOffButtons();
    this.#listenToKeysAndPointers();
    annotator.listenToName((name) => this.#become(name).catch(failed));
    addEventListener("resize", () => this.#canvas.fit());
    addEventListener("beforeunload", (event) => {
      if (this.#queue.hasUnsent) event.preventDefault();
    });
    watch((active) => this.#look(active));
  }

  #listenToKeysAndPointers() {
    listenToPointers(element("photograph", HTMLCanvasElement), {
      isShown: () => this.#current.shown !== null,
      zoom: (factor, point) => this.#canvas.zoom(factor, point),
      pan: (by) => this.#canvas.pan(by),
      choose: (point) => this.#choose(point),
    });
    listenToKeys({
      isCovered: annotator.isAsked,
      classes: () => this.#queue.state.classes,
      guesses: () => this.#current.shown?.query.guesses ?? [],
      act: (meaning) => this.#act(meaning),
    });
  }

  /** @param {number} active the time of the last activity */
  #look(active) {
    const now = Date.now();
    const isShown = this.#current.shown !== null;
    if (!this.#queue.annotator) return; // the page still asks for a name
    const isLive = this.#queue.state.grows || this.#queue.state.learned !== null;
    if (!isDue({ now, active, filled: this.#queue.filled, isShown, isLive })) return;
    this.#queue.filled = now; // so that no second refill starts meanwhile
    this.#next().catch(failed);
  }
}

async function begin() {
  history.replaceState(null, "", location.pathname); // the token is a cookie now
  const service = new Service((address, options) => fetch(address, options));
  /** @type {State} */
  const state = await service.ask("/v1/state");
  await new Page(service, state).begin();
}

begin().catch(failed);
