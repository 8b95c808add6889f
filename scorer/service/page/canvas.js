// Draws the photograph with the ring around the pixel, and the magnified crop.

import { element } from "./elements.js";
import * as geometry from "./view.js";

/** @import { Query } from "./api.js" */
/** @import { Shown } from "./current.js" */
/** @import { Point, View } from "./view.js" */

const SHARP_SCALE = 3; // from this scale on, the photograph's pixels are drawn as squares

/** The two canvases of the page. */
export class Canvas {
  /** @type {HTMLImageElement | null} the picture over the photograph */
  overlay = null;
  /** @type {View} */
  #view = { scale: 1, x: 0, y: 0 };
  /** @type {string | null} the name of the photograph that was last fitted to the window */
  #fitted = null;
  #stage = element("photograph", HTMLCanvasElement);
  #crop = element("crop", HTMLCanvasElement);
  #opacity = element("opacity", HTMLInputElement);
  #shown;

  /** @param {() => Shown | null} shown the pixel on the screen */
  constructor(shown) {
    this.#shown = shown;
  }

  /** Connects the buttons that change the view. */
  listen() {
    const on = (/** @type {string} */ id, /** @type {() => void} */ act) =>
      element(id, HTMLButtonElement).addEventListener("click", act);
    on("zoom-in", () => this.zoomOnPixel(geometry.ZOOM_STEP));
    on("zoom-out", () => this.zoomOnPixel(1 / geometry.ZOOM_STEP));
    on("fit", () => this.fit());
  }

  /** Fits a photograph to the window, unless it was the last one that was fitted. */
  fitAnother() {
    if (this.#fitted !== this.#shown()?.query.image) this.fit();
  }

  /** Fits the photograph to the window. */
  fit() {
    const shown = this.#shown();
    if (!shown) return;
    const { clientWidth, clientHeight } = this.#stage;
    const { naturalWidth, naturalHeight } = shown.image;
    this.#fitted = shown.query.image;
    this.#view = geometry.fitted(
      { width: clientWidth, height: clientHeight }, { width: naturalWidth, height: naturalHeight },
    );
    this.draw();
  }

  /**
   * @param {number} factor
   * @param {Point} point the point of the screen that stays fixed
   */
  zoom(factor, point) {
    if (!this.#shown()) return;
    this.#view = geometry.zoomed(this.#view, factor, point);
    this.draw();
  }

  /**
   * The pixel of the photograph under a point of the screen; null outside the photograph.
   *
   * @param {Point} point
   */
  pixelAt(point) {
    const shown = this.#shown();
    if (!shown) return null;
    const { naturalWidth: width, naturalHeight: height } = shown.image;
    return geometry.pixelAt(this.#view, { width, height }, point);
  }

  /** @param {number} factor */
  zoomOnPixel(factor) {
    const shown = this.#shown();
    if (shown) this.zoom(factor, geometry.centreOnScreen(this.#view, shown.query));
  }

  /** @param {Point} by how far the photograph moves over the screen */
  pan(by) {
    if (!this.#shown()) return;
    this.#view = geometry.moved(this.#view, by);
    this.draw();
  }

  /** Draws both canvases; they are empty if there is no pixel on the screen. */
  draw() {
    const shown = this.#shown();
    const ratio = devicePixelRatio || 1;
    const pen = this.#emptied(ratio);
    if (!shown) return;
    const { scale, x, y } = this.#view;
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    pen.imageSmoothingEnabled = scale < SHARP_SCALE;
    this.#paint(pen, shown.image);
    const centre = geometry.centreOnScreen(this.#view, shown.query);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawRing(pen, centre, geometry.ringRadius(this.#view));
    drawCrop(penOf(this.#crop), shown.query, shown.image);
  }

  /**
   * Clears both canvases.
   *
   * @param {number} ratio device pixels per CSS pixel
   * @returns {CanvasRenderingContext2D} of the photograph
   */
  #emptied(ratio) {
    const { clientWidth, clientHeight } = this.#stage;
    this.#stage.width = clientWidth * ratio;
    this.#stage.height = clientHeight * ratio;
    const pen = penOf(this.#stage);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, this.#stage.width, this.#stage.height);
    penOf(this.#crop).clearRect(0, 0, geometry.CROP_SIZE, geometry.CROP_SIZE);
    return pen;
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {HTMLImageElement} image
   */
  #paint(pen, image) {
    pen.drawImage(image, 0, 0);
    if (!this.overlay) return;
    pen.globalAlpha = Number(this.#opacity.value) / 100;
    pen.drawImage(this.overlay, 0, 0, image.naturalWidth, image.naturalHeight);
    pen.globalAlpha = 1;
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {CanvasRenderingContext2D}
 */
function penOf(canvas) {
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("this browser cannot draw");
  return pen;
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Point} centre
 * @param {number} radius
 */
function drawRing(pen, centre, radius) {
  for (const [colour, width] of /** @type {const} */ ([["#000", 7], ["#fff", 3]])) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(centre.x, centre.y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Query} query
 * @param {HTMLImageElement} image
 */
function drawCrop(pen, query, image) {
  const { scale, x, y } = geometry.cropView(query);
  pen.imageSmoothingEnabled = false;
  pen.setTransform(scale, 0, 0, scale, x, y);
  pen.drawImage(image, 0, 0);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  for (const [colour, margin] of /** @type {const} */ ([["#000", 2], ["#fff", 1]])) {
    const { start, size } = geometry.cropSquare(margin);
    pen.strokeStyle = colour;
    pen.strokeRect(start, start, size, size);
  }
}
