// The meanings of keys.

import { ZOOM_STEP } from "./view.js";

/** @import { OverlayKind } from "./overlay.js" */

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
const REPEATED = ["+", "=", "-"]; // the keys that act again and again while they are held

/** The largest number of classes that have a key each. */
export const MOST_KEYS = 20;

/**
 * The meaning of a key. A label has the name of its class.
 * @typedef {{ act: "label", name: string } | { act: "zoom", factor: number }
 *   | { act: "overlay", kind: OverlayKind }
 *   | { act: "unsure" | "skip" | "undo" | "fit" | "search" | "return" | "look" }} Meaning
 */

/** @type {Map<string, Meaning>} */
const FIXED = new Map(Object.entries({
  "?": { act: "unsure" },
  " ": { act: "skip" },
  "Backspace": { act: "undo" },
  "+": { act: "zoom", factor: ZOOM_STEP },
  "=": { act: "zoom", factor: ZOOM_STEP },
  "-": { act: "zoom", factor: 1 / ZOOM_STEP },
  "0": { act: "fit" },
  "M": { act: "overlay", kind: "map" },
  "S": { act: "overlay", kind: "segmentation" },
  "/": { act: "search" },
  "L": { act: "look" },
  "Escape": { act: "return" },
}));

/**
 * The part of a keyboard event that says which key was pressed.
 * @typedef {Pick<KeyboardEvent, "key" | "code" | "shiftKey">} Pressed
 */

/**
 * The key of each class: the first letter of its name that no earlier class has, or else the first
 * free letter of the alphabet. All keys are "" if there are too many classes.
 *
 * @param {string[]} classes
 * @returns {string[]}
 */
export function keysOf(classes) {
  if (classes.length > MOST_KEYS) return classes.map(() => "");
  /** @type {Set<string>} */
  const taken = new Set();
  return classes.map((name) => {
    const own = [...name.toLowerCase()].filter((letter) => LETTERS.includes(letter));
    const key = [...own, ...LETTERS].find((letter) => !taken.has(letter)) ?? "";
    taken.add(key);
    return key;
  });
}

/**
 * The meaning of a key: a class by its letter, a guess by its number, or a fixed meaning.
 *
 * @param {Pressed} pressed
 * @param {string[]} classes
 * @param {string[]} guesses names of classes, in the order of the keys 1, 2, ...
 * @returns {Meaning | undefined} undefined for a key without a meaning
 */
export function meaningOf(pressed, classes, guesses) {
  const letter = letterOf(pressed);
  const index = letter === null ? -1 : keysOf(classes).indexOf(letter);
  const name = index >= 0 ? classes[index] : guesses[Number(pressed.key) - 1];
  return name ? { act: "label", name } : FIXED.get(pressed.key);
}

/**
 * The letter of a key on any keyboard layout, also with Caps Lock. Shift with a letter never means
 * a class: it changes the overlay.
 *
 * @param {Pressed} pressed
 * @returns {string | null} in lower case
 */
function letterOf({ key, code, shiftKey }) {
  if (shiftKey) return null;
  if (/^[a-z]$/i.test(key)) return key.toLowerCase();
  return /^Key[A-Z]$/.test(code) ? code.slice(3).toLowerCase() : null;
}

/**
 * Listens to all keys of the page, except while the user types into a field, or while a dialog
 * covers the page.
 *
 * @param {{
 *   isCovered: () => boolean, classes: () => string[], guesses: () => string[],
 *   act: (meaning: Meaning) => void,
 * }} page
 */
export function listenToKeys(page) {
  addEventListener("keydown", (event) => {
    if (isWritten(event) || page.isCovered()) return;
    const meaning = meaningOf(event, page.classes(), page.guesses());
    if (!meaning || pressesButton(event)) return;
    event.preventDefault();
    if (event.repeat && !REPEATED.includes(event.key)) return; // a key that is held is one answer
    page.act(meaning);
  });
}

/** Takes the focus off clicked buttons, because Space would press such a button again. */
export function keepFocusOffButtons() {
  addEventListener("mousedown", (event) => {
    const { target } = event;
    if (!(target instanceof Element) || target.closest("dialog")) return;
    if (target.closest("button")) event.preventDefault();
  });
}

/**
 * Whether a key is to be handled by a field of the page, or by the browser.
 *
 * @param {KeyboardEvent} event
 * @returns {boolean}
 */
function isWritten({ target, ctrlKey, metaKey, altKey }) {
  const isField = target instanceof Element && target.matches("input:not([type='range'])");
  return isField || ctrlKey || metaKey || altKey;
}

/**
 * Whether a key presses the button that has the focus.
 *
 * @param {KeyboardEvent} event
 * @returns {boolean}
 */
function pressesButton({ key, target }) {
  return key === " " && target instanceof HTMLButtonElement;
}
