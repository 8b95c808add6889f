// The annotator's name: asked for once, and stored by the browser.

import { element } from "./elements.js";

const STORED = "balentacq-annotator"; // the key under which the name is stored

/** Whether the dialog for the name is open. @returns {boolean} */
export function isAsked() {
  return element("hello", HTMLDialogElement).open;
}

/** The stored name; "" if there is none. @returns {string} */
export function storedName() {
  return localStorage.getItem(STORED) ?? "";
}

/**
 * Stores a name, and shows it.
 *
 * @param {string} name
 */
export function keepName(name) {
  const field = element("annotator", HTMLInputElement);
  field.value = name;
  localStorage.setItem(STORED, name);
  field.blur();
}

/**
 * Asks for a name until there is one. Escape closes the dialog without a name.
 *
 * @returns {Promise<string>}
 */
export async function askForName() {
  const name = await closedDialog();
  return name || askForName();
}

/**
 * Listens to changes of the name.
 *
 * @param {(name: string) => void} changed called with the new name, which may be ""
 */
export function listenToName(changed) {
  const field = element("annotator", HTMLInputElement);
  field.addEventListener("change", () => changed(field.value.trim()));
}

/** @returns {Promise<string>} the name in the dialog when it is closed */
function closedDialog() {
  const dialog = element("hello", HTMLDialogElement);
  dialog.showModal();
  return new Promise((resolve) => {
    const read = () => resolve(element("name", HTMLInputElement).value.trim());
    dialog.addEventListener("close", read, { once: true });
  });
}
