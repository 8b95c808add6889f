// The pictures of the service: photographs, uncertainty maps and segmentations.

const KEPT = 12; // the number of pictures that the page keeps

/**
 * The kinds of pictures, as the service names them in its addresses.
 * @typedef {"photograph" | "map" | "segmentation"} PictureKind
 */

/** Pictures that are loaded or being loaded. */
export class Pictures {
  /** @type {Map<string, Promise<HTMLImageElement>>} from the address of a picture */
  #kept = new Map();

  /**
   * A picture of an image of the pool. Loading it again begins no second request while it is kept.
   *
   * @param {PictureKind} kind
   * @param {string} name the name of the image in the pool
   * @param {string} graph of the model that a map or a segmentation is of; "" for a photograph
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
