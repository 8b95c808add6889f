// The overlay of the photograph: the uncertainty map, the model's classes, or none.

import { element } from "./elements.js";

/** @import { State } from "./api.js" */
/** @import { Canvas } from "./canvas.js" */
/** @import { Shown } from "./current.js" */
/** @import { Pictures } from "./pictures.js" */

/** @typedef {"map" | "segmentation"} OverlayKind */

/** @type {OverlayKind[]} */
const KINDS = ["map", "segmentation"];

/** The choice of the overlay, with its buttons. */
export class Overlay {
  /** @type {OverlayKind | null} */
  #kind = null;
  /** The graph that computed the overlay. */
  #graph = "";
  #state;
  #canvas;
  #pictures;
  #shown;
  #failed;

  /**
   * @param {() => State} state returns the current state of the service
   * @param {Canvas} canvas
   * @param {Pictures} pictures
   * @param {() => Shown | null} shown the pixel on the screen
   * @param {(error: unknown) => void} failed called if a picture cannot be loaded
   */
  constructor(state, canvas, pictures, shown, failed) {
    this.#state = state;
    this.#canvas = canvas;
    this.#pictures = pictures;
    this.#shown = shown;
    this.#failed = failed;
  }

  /** Updates the overlay to the current graph; buttons are shown only if it computes maps. */
  follow() {
    const { graph, has_map: hasMap } = this.#state();
    for (const kind of KINDS) buttonOf(kind).hidden = !hasMap;
    if (graph !== this.#graph) this.reload();
    this.#graph = graph;
  }

  /** Connects the buttons. */
  listen() {
    this.follow();
    for (const kind of KINDS) {
      buttonOf(kind).addEventListener("click", () => this.toggle(kind));
    }
    element("opacity", HTMLInputElement).addEventListener("input", () => this.#canvas.draw());
  }

  /**
   * Shows an overlay, or hides it if it is already shown.
   *
   * @param {OverlayKind} kind
   */
  toggle(kind) {
    this.#kind = this.#kind === kind || !this.#state().has_map ? null : kind;
    for (const one of KINDS) buttonOf(one).setAttribute("aria-pressed", String(one === this.#kind));
    element("opacity", HTMLInputElement).disabled = this.#kind === null;
    element("legend", HTMLElement).hidden = this.#kind !== "map";
    this.reload();
    this.#canvas.draw();
  }

  /** Hides the overlay, and loads the one of the photograph on the screen. */
  reload() {
    this.#canvas.overlay = null;
    this.#load().catch(this.#failed);
  }

  async #load() {
    const kind = this.#kind;
    const image = this.#shown()?.query.image;
    if (kind === null || image === undefined) return;
    const graph = this.#state().graph;
    const picture = await this.#pictures.load(kind, image, graph);
    const isNewest = this.#state().graph === graph;
    const isWanted = isNewest && this.#kind === kind && this.#shown()?.query.image === image;
    if (!isWanted) return; // the choice or the photograph has changed meanwhile
    this.#canvas.overlay = picture;
    this.#canvas.draw();
  }
}

/**
 * @param {OverlayKind} kind
 * @returns {HTMLButtonElement}
 */
function buttonOf(kind) {
  return element(`show-${kind}`, HTMLButtonElement);
}
