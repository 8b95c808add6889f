// The picture over the photograph: the uncertainty map, the model's classes, or none.

import { element } from "./elements.js";

/** @import { Canvas } from "./canvas.js" */
/** @import { Shown } from "./current.js" */
/** @import { Pictures } from "./pictures.js" */

/** @typedef {"map" | "segmentation"} OverlayKind */

/** @type {OverlayKind[]} */
const KINDS = ["map", "segmentation"];

/** Which picture lies over the photograph, with its buttons. */
export class Overlay {
  /** @type {OverlayKind | null} */
  #kind = null;
  #hasMap;
  #canvas;
  #pictures;
  #shown;
  #failed;

  /**
   * @param {() => boolean} hasMap whether the graph of the service computes maps now
   * @param {Canvas} canvas
   * @param {Pictures} pictures
   * @param {() => Shown | null} shown the pixel on the screen
   * @param {(error: unknown) => void} failed called where a picture cannot be loaded
   */
  constructor(hasMap, canvas, pictures, shown, failed) {
    this.#hasMap = hasMap;
    this.#canvas = canvas;
    this.#pictures = pictures;
    this.#shown = shown;
    this.#failed = failed;
  }

  /** Shows the buttons where the graph of now computes maps. */
  offer() {
    for (const kind of KINDS) buttonOf(kind).hidden = !this.#hasMap();
  }

  /** Prepares the buttons. */
  listen() {
    this.offer();
    for (const kind of KINDS) {
      buttonOf(kind).addEventListener("click", () => this.toggle(kind));
    }
    element("opacity", HTMLInputElement).addEventListener("input", () => this.#canvas.draw());
  }

  /**
   * Lays a picture over the photograph, or takes it away where it already lies there.
   *
   * @param {OverlayKind} kind
   */
  toggle(kind) {
    this.#kind = this.#kind === kind || !this.#hasMap() ? null : kind;
    for (const one of KINDS) buttonOf(one).setAttribute("aria-pressed", String(one === this.#kind));
    element("opacity", HTMLInputElement).disabled = this.#kind === null;
    element("legend", HTMLElement).hidden = this.#kind !== "map";
    this.reload();
    this.#canvas.draw();
  }

  /** Takes the picture away, and loads the one of the photograph on the screen. */
  reload() {
    this.#canvas.overlay = null;
    this.#load().catch(this.#failed);
  }

  async #load() {
    const kind = this.#kind;
    const image = this.#shown()?.query.image;
    if (kind === null || image === undefined) return;
    const picture = await this.#pictures.load(kind, image);
    const isWanted = this.#kind === kind && this.#shown()?.query.image === image;
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
