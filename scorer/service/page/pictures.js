// The pictures of the service: photographs, uncertainty maps and segmentations.

const KEPT = 12; // the number of cached pictures

/**
 * The kinds of pictures, as named in the service's URLs.
 * @typedef {"photograph" | "map" | "segmentation"} PictureKind
 */

/** A cache of pictures that are loaded or being loaded. */
export class Pictures {
  /** @type {Map<string, Promise<HTMLImageElement>>} by the URL of a picture */
  #kept = new Map();

  /**
   * Loads a picture of an image of the pool; no second request is sent while it is cached.
   *
   * @param {PictureKind} kind
   * @param {string} name the name of the image in the pool
   * @param {string} graph the model that computed a map or a segmentation; "" for a photograph
   * @returns {Promise<HTMLImageElement>}
   */
  load(kind, name, graph = "") {
    const version = graph ? `&graph=${graph}` : "";
    const address = `/v1/${kind}?image=${encodeURIComponent(name)}${version}`;
    const kept = this.#kept.get(address);
    if (kept) return kept;
    const loaded = request(address, name);
    loaded.catch(() => this.#kept.delete(address));
    this.#keep(address, loaded);
    return loaded;
  }

  /**
   * @param {string} address
   * @param {Promise<HTMLImageElement>} loaded
   */
  #keep(address, loaded) {
    this.#kept.set(address, loaded);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT && oldest) this.#kept.delete(oldest);
  }
}

/**
 * @param {string} address
 * @param {string} name
 * @returns {Promise<HTMLImageElement>}
 */
function request(address, name) {
  const image = new Image();
  return new Promise((resolve, reject) => {
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(`${name} cannot be shown`));
    image.src = address;
  });
}
