// The elements of index.html, found by their ids.

/**
 * The element with an id, which index.html must have.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind the class of the element, for example HTMLInputElement
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} with the id ${id}`);
  return found;
}
