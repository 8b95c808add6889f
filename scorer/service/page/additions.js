// The controls beside the question: adding a class, and a second look at earlier answers.

import { element } from "./elements.js";

/** @import { Service, State } from "./api.js" */

/** The field for a new class, and the button for a second look. */
export class Additions {
  #form = element("new-class", HTMLFormElement);
  #field = element("class-name", HTMLInputElement);
  #look = element("second-look", HTMLButtonElement);
  #service;
  #state;
  #annotator;
  #events;

  /**
   * @param {Pick<Service, "send">} service
   * @param {() => State} state returns the current state of the service
   * @param {() => string} annotator the name of the annotator
   * @param {{ begun: () => void, changed: () => Promise<void>, failed: (error: unknown) => void }} events
   *   begun: called before classes are added; changed: after the service's state or queue changed
   */
  constructor(service, state, annotator, events) {
    this.#service = service;
    this.#state = state;
    this.#annotator = annotator;
    this.#events = events;
  }

  /** Connects both controls to their events. */
  listen() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#addClasses().catch(this.#events.failed);
    });
    this.#look.addEventListener("click", () => this.look());
  }

  /** Shows the controls that the current state of the service offers. */
  follow() {
    const { grows, classes, second_looks: count } = this.#state();
    this.#form.hidden = !grows;
    this.#field.placeholder = classes.length < 2 ? "road, sky, tree" : "add a class";
    this.#look.hidden = count === 0;
    this.#look.textContent = `look again at ${count === 1 ? "an answer" : `${count} answers`}`;
  }

  /** Requests a second look at the answers that the model contradicts. */
  look() {
    const body = { annotator: this.#annotator() };
    this.#service.send("/v1/second-look", body).then(this.#events.changed).catch(this.#events.failed);
  }

  /** Adds the classes in the field, and takes the focus off it so that keys answer again. */
  async #addClasses() {
    this.#field.blur();
    this.#events.begun();
    try {
      for (let names = namesIn(this.#field.value); names.length; names = names.slice(1)) {
        await this.#service.send("/v1/classes", { name: names[0] });
        this.#field.value = names.slice(1).join(", ");
      }
    } finally {
      await this.#events.changed();
    }
  }
}

/**
 * The names in a comma-separated text.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function namesIn(text) {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}
