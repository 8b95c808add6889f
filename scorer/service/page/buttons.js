// The buttons for answers: the guesses, unsure, skip, undo and the classes; the search for a class.

import { isAgain } from "./api.js";
import { element } from "./elements.js";
import { keysOf, MOST_KEYS } from "./keys.js";

/** @import { Query, State } from "./api.js" */
/** @import { Meaning } from "./keys.js" */

const GUESSES = 4; // the number of places for guesses, each with a number key

/**
 * A button: its text, the key that does the same, or "", and what pressing it means.
 * @typedef {{ text: string, key: string, meaning: Meaning, colour?: string | undefined }} Wanted
 */

/** All buttons for answers. */
export class Buttons {
  #search = element("search", HTMLInputElement);
  #state;
  #query;
  #act;

  /**
   * @param {() => State} state what the service says of itself now
   * @param {() => Query | undefined} query the query on the screen
   * @param {(meaning: Meaning) => void} act called where a button is pressed
   */
  constructor(state, query, act) {
    this.#state = state;
    this.#query = query;
    this.#act = act;
  }

  /** Prepares the search. */
  listen() {
    this.#search.addEventListener("input", () => this.draw());
    this.#search.addEventListener("keydown", (event) => this.#onSearch(event));
  }

  /** Goes to the search. */
  search() {
    this.#search.focus();
  }

  /**
   * Makes all buttons for the query on the screen and for what is searched; the search is there
   * where the classes have no keys.
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

  /** One button for each guess, and empty ones, so that what is below stays where it is. */
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

  /** One button for each class that is searched: each class, where there is no search. */
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
   * Enter takes the first class that is found; Enter and Escape end the search.
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
