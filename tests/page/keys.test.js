// Which key means what.

import assert from "node:assert/strict";
import { test } from "node:test";

import { keysOf, meaningOf } from "../../scorer/service/page/keys.js";

const CLASSES = ["sky", "road", "car", "tree", "person"];
const pressed = (key, code = "", shiftKey = false) => ({ key, code, shiftKey });
const meaning = (...key) => meaningOf(pressed(...key), CLASSES, ["tree", "sky"]);

test("a class has the first letter of its name that is free, or else any letter", () => {
  assert.deepEqual(keysOf(CLASSES), ["s", "r", "c", "t", "p"]);
  assert.deepEqual(keysOf(["car", "Cat", "ca", "9", "éc"]), ["c", "a", "b", "d", "e"]);
});

test("twenty classes have keys, and twenty-one have none", () => {
  const names = Array.from({ length: 21 }, (_, index) => `a${index}`);
  assert.equal(new Set(keysOf(names.slice(0, 20))).size, 20);
  assert.deepEqual(keysOf(names), names.map(() => ""));
});

test("a letter is its class, also with Caps Lock and on another layout", () => {
  assert.deepEqual(meaning("s", "KeyS"), { act: "label", name: "sky" });
  assert.deepEqual(meaning("S", "KeyS"), { act: "label", name: "sky" });
  assert.deepEqual(meaning("ы", "KeyS"), { act: "label", name: "sky" });
  assert.deepEqual(meaning("R", "KeyS"), { act: "label", name: "road" }, "Caps Lock and a layout");
  assert.equal(meaning("z", "KeyS"), undefined, "the letter counts before the place");
});

test("Shift with a letter is never a class", () => {
  assert.deepEqual(meaning("S", "KeyS", true), { act: "overlay", kind: "segmentation" });
  assert.deepEqual(meaning("M", "KeyM", true), { act: "overlay", kind: "map" });
  assert.equal(meaning("R", "KeyR", true), undefined);
  assert.equal(meaning("Ы", "KeyS", true), undefined);
});

test("a number is a guess, as far as there are guesses", () => {
  assert.deepEqual(meaning("1"), { act: "label", name: "tree" });
  assert.deepEqual(meaning("2"), { act: "label", name: "sky" });
  assert.equal(meaning("3"), undefined);
  assert.equal(meaningOf(pressed("1"), CLASSES, []), undefined);
});

test("the other keys have fixed meanings", () => {
  const acts = {
    "?": "unsure", " ": "skip", Backspace: "undo", 0: "fit", "/": "search",
    "+": "zoom", "=": "zoom", "-": "zoom",
  };
  for (const [key, act] of Object.entries(acts)) assert.equal(meaning(key)?.act, act, key);
  assert.ok(meaning("+").factor > 1);
  assert.equal(meaning("=").factor, meaning("+").factor);
  assert.equal(meaning("-").factor * meaning("+").factor, 1);
});

test("keys without a meaning have none, whatever they are called", () => {
  for (const key of ["Enter", "Tab", "F5", "q", "constructor"]) {
    assert.equal(meaning(key), undefined, key);
  }
});
