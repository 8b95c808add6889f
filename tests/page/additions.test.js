// What an annotator may ask for beside the question.

import assert from "node:assert/strict";
import { test } from "node:test";

import { namesIn } from "../../scorer/service/page/additions.js";

test("commas separate the names of classes", () => {
  assert.deepEqual(namesIn(" road, traffic sign ,,sky,"), ["road", "traffic sign", "sky"]);
  assert.deepEqual(namesIn(" , "), []);
});
