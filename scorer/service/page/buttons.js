// The buttons for answers: the guesses, unsure, skip, undo and the classes; the search for a class.

import { isAgain } from "./api.js";
import { element } from "./elements.js";
import { keysOf, MOST_KEYS } from "./keys.js";

/** @import { Query, State } from "./api.js" */
/** @import { Meaning } from "./keys.js" */

const GUESSES = 4; // the number of places for guesses, each with a number key

/**
 * A button: its text, the equivalent key or "", and the meaning of pressing it.
 * @typedef {{ text: string, key: string, meaning: Meaning, colour?: string | undefined }} Wanted
 */

/** All buttons for answers. */
export class Buttons {
  #search = element("search", HTMLInputElement);
  #state;
  #query;
  #act;

  /**
   * @param {() => State} state returns the current state of the service
   * @param {() => Query | undefined} query the query on the screen
   * @param {(meaning: Meaning) => void} act called when a button is pressed
   */
  constructor(state, query, act) {
    this.#state = state;
    this.#query = query;
    this.#act = act;
  }

  /** Connects the search field to its events. */
  listen() {
    this.#search.addEventListener("input", () => this.draw());
    this.#search.addEventListener("keydown", (event) => this.#onSearch(event));
  }

  /** Focuses the search field. */
  search() {
    this.#search.focus();
  }

  /**
   * Rebuilds all buttons for the query on the screen and the text of the search; the search is
   * shown if the classes have no keys.
   */
  draw() {
    element("find", HTMLElement).hidden = this.#state().classes.length <= MOST_KEYS;
    this.#fill("guesses", this.#guesses());
    this.#fill("acts", [
      this.#button({ text: "unsure", key: "?", meaning: { act: "unsure" } }),
      this.#button({ text: "skip", key: "Space", meaning: { act: "skip" } }),
      this.#button({ text: "undo", key: "⌫", meaning: { act: "undo" } }),
    ]);
    this.#fill("classes", this.#found());
  }

  /**
   * @param {string} group the id of the element around the buttons
   * @param {HTMLButtonElement[]} buttons
   */
  #fill(group, buttons) {
    element(group, HTMLElement).replaceChildren(...buttons);
  }

  /** One button for each guess, and empty ones, so that the buttons below keep their places. */
  #guesses() {
    const query = this.#query();
    const [first, others] = query && isAgain(query) ? ["answered", "model"] : ["guess", "near it"];
    const buttons = (query?.guesses ?? []).map((name, index) => this.#button({
      text: `${name} · ${index ? others : first}`, key: `${index + 1}`,
      meaning: { act: "label", name }, colour: this.#colourOf(name),
    }));
    while (buttons.length < GUESSES) buttons.push(emptyButton());
    return buttons;
  }

  /** One button for each class that matches the search; without a search, for every class. */
  #found() {
    const { classes } = this.#state();
    const wanted = this.#search.value.trim().toLowerCase();
    const keys = keysOf(classes);
    const found = classes.filter((name) => name.toLowerCase().includes(wanted));
    return found.map((name) => this.#button({
      text: name, key: keys[classes.indexOf(name)] ?? "", meaning: { act: "label", name },
      colour: this.#colourOf(name),
    }));
  }

  /** @param {string} name the name of a class */
  #colourOf(name) {
    const { classes, colours } = this.#state();
    return colours[classes.indexOf(name)];
  }

  /** @param {Wanted} wanted */
  #button({ text, key, meaning, colour }) {
    const made = document.createElement("button");
    if (key) made.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    if (colour) made.append(swatch(colour));
    made.append(text);
    if (key) made.setAttribute("aria-keyshortcuts", key === "⌫" ? "Backspace" : key);
    made.disabled = !this.#query() && meaning.act !== "undo";
    made.addEventListener("click", () => this.#act(meaning));
    return made;
  }

  /**
   * Handles a key in the search: Enter answers with the first match; Enter and Escape end it.
   *
   * @param {KeyboardEvent} event
   */
  #onSearch({ key }) {
    if (key !== "Escape" && key !== "Enter") return;
    const first = element("classes", HTMLElement).querySelector("button");
    this.#search.blur();
    if (key === "Enter" && this.#search.value && first) first.click();
    this.#search.value = "";
    this.draw();
  }
}

/** @param {string} colour */
function swatch(colour) {
  const made = Object.assign(document.createElement("span"), { className: "swatch" });
  made.style.setProperty("background-color", colour);
  return made;
}

function emptyButton() {
  return Object.assign(document.createElement("button"), { className: "empty", disabled: true });
}
