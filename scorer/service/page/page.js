// The annotation page: one pixel at a time, the next one already there.

const AHEAD = 3; // pixels held at a time
const MOST = 20; // that the service gives at a time
const RING = 14; // radius in pixels of the screen: around the pixel, never on it
const CROP = 40; // original pixels across the magnified crop
const FEW = 20; // up to so many classes have a key each
const KEEP_MS = 30000; // how often a lease is renewed
const LOOK_MS = 1000; // how often is looked whether there is something to do
const AWAY_MS = 600000; // after which nobody is here: others get the pixels
const OVERLAYS = ["map", "segmentation"];
const GUESSES = 4; // as many as there are number keys for them
const SAID = { label: (name) => name, unsure: () => "unsure", skip: () => "skipped" };

const at = (id) => document.getElementById(id);
const stored = (key, fallback) => localStorage.getItem(`balentacq-${key}`) ?? fallback;

let me = ""; // who answers
let state = null; // what the service says of itself
let queue = []; // pixels that are ours, the first is shown
let shown = null; // { query, image, since }
let view = { scale: 1, x: 0, y: 0 }; // screen = original * scale + (x, y)
let overlay = null; // what lies over the photograph: "map", "segmentation" or nothing
let overlayPicture = null;
let times = JSON.parse(sessionStorage.getItem("balentacq-times") ?? "[]"); // of answers: per minute
let sending = Promise.resolve(); // answers, and what takes them back
const unsent = new Set(); // queries whose answers have no receipt yet
let fitted = null; // the image that the view is for
let filling = Promise.resolve(); // one refill after the other
let filled = 0; // when the last one ended
let active = Date.now(); // when somebody last did something
let lately = []; // what was answered since the last refill began, or has no receipt yet
const broken = []; // what is asked for in photographs that cannot be shown
const pictures = new Map(); // address → Promise of an image

async function ask(address, body) {
  const options = body && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const response = await fetch(address, options);
  if (!response.ok) {
    const error = new Error(wrong(await response.text()) || `the service says ${response.status}`);
    error.status = response.status;
    throw error;
  }
  return response.json();
}

function wrong(text) {
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : JSON.stringify(detail);
  } catch {
    return text.slice(0, 200);
  }
}

function picture(kind, name) {
  const address = `/v1/${kind}?image=${encodeURIComponent(name)}`;
  if (!pictures.has(address)) {
    const image = new Image();
    const loaded = new Promise((resolve, reject) => {
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error(`${name} cannot be shown`));
    });
    loaded.catch(() => pictures.delete(address));
    image.src = address;
    pictures.set(address, loaded);
    if (pictures.size > 12) pictures.delete(pictures.keys().next().value);
  }
  return pictures.get(address);
}

// crypto.randomUUID is there for https and this machine only.
const unique = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (a, b) => a.image === b.image && a.row === b.row && a.col === b.col;

function refill() {
  filling = filling.then(fill, fill);
  return filling;
}

// What is ours is what the service says: a lease may have ended while this machine slept.
async function fill() {
  lately = [...unsent];
  const before = state;
  state = await ask("/v1/state"); // first: once all is ranked, an empty queue is empty
  if (before && before.started !== state.started) location.reload(); // another service is here now
  const got = await ask(`/v1/queue?annotator=${encodeURIComponent(me)}&count=${Math.min(MOST, AHEAD + broken.length)}`);
  const known = (query) => queue.find((one) => same(one, query)) ?? query;
  queue = got.filter((query) => ![...lately, ...broken].some((one) => same(one, query))).map(known);
  for (const query of queue) picture("photograph", query.image).catch(() => {});
  filled = Date.now();
}

async function show() {
  const query = queue[0];
  if (!query) return nothing();
  if (shown?.query === query) return;
  const image = await picture("photograph", query.image).catch(tell);
  if (queue[0] !== query) return;
  if (!image) { // it is gone from the disk, for example
    broken.push(queue.shift());
    return show();
  }
  shown = { query, image, since: performance.now() };
  if (fitted !== query.image) fit();
  overlayPicture = null;
  if (overlay) loadOverlay().catch(tell);
  at("where").textContent = `${query.image}, row ${query.row}, col ${query.col}`;
  buttons();
  draw();
}

function nothing() {
  shown = null;
  at("where").textContent = why();
  draw();
  buttons();
}

function why() {
  if (state.failure) return "The ranking has stopped.";
  if (!state.pool_ranked) return "The pool is being ranked …";
  return state.pixels_left ? "Others have the pixels that are left." : "All pixels are answered.";
}

function tell(error) {
  at("message").textContent = error.message;
}

function say(text) {
  at("receipt").textContent = text;
}

function progress() {
  const minute = Date.now() - 60000;
  times = times.filter((time) => time > minute);
  sessionStorage.setItem("balentacq-times", JSON.stringify(times));
  const ranked = state.pool_ranked ? "" : `, ${state.ranked} of ${state.images} images ranked`;
  at("progress").textContent =
    `${state.pixels_left} pixels of ${state.images_left} images left, ${times.length} in the last minute${ranked}`;
  if (state.failure) tell(new Error(`ranking stopped: ${state.failure}`));
}

async function turn() {
  await refill();
  progress();
  await show();
}

// The next pixel is there at once; what is sent is sent in order, behind it.
async function give(answer, name) {
  if (!shown) return;
  const { query, since } = shown;
  const body = {
    image: query.image, row: query.row, col: query.col, answer, class_name: name ?? null,
    annotator: me, seconds: (performance.now() - since) / 1000, request: unique(),
  };
  queue = queue.filter((one) => !same(one, query));
  lately.push(query);
  unsent.add(query);
  shown = null;
  at("message").textContent = "";
  inOrder(() => sent("/v1/labels", body)
    .finally(() => unsent.delete(query))
    .then(() => received(answer, name), (error) => lost(query, error)));
  if (queue.length) await show();
}

function inOrder(act) {
  sending = sending.then(act).then(turn).catch(tell);
}

function received(answer, name) {
  times.push(Date.now());
  say(`${SAID[answer](name)}. Backspace takes it back.`);
}

function lost(query, error) {
  if (error.status !== 409 && error.status !== 404) queue.unshift(query);
  tell(error);
}

// The same request again is the same answer: what the network lost is sent once more.
async function sent(address, body) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask(address, body);
    } catch (error) {
      if (error.status || attempt === 4) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300 * 2 ** attempt));
    }
  }
}

async function undo() {
  const { undone, query } = await sent("/v1/undo", { annotator: me, request: unique() });
  say(undone ? "taken back" : "there is nothing to take back");
  if (query) queue = [query, ...queue.filter((one) => !same(one, query))];
}

// Keys: each class the first letter of its name that is free; then any letter.
function keysOf(classes) {
  if (classes.length > FEW) return classes.map(() => "");
  const taken = new Set();
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  return classes.map((name) => {
    const own = [...name.toLowerCase()].filter((letter) => letters.includes(letter));
    const key = [...own, ...letters].find((letter) => !taken.has(letter)) ?? "";
    taken.add(key);
    return key;
  });
}

function button(text, key, action, colour) {
  const made = document.createElement("button");
  if (key) made.append(Object.assign(document.createElement("kbd"), { textContent: key }));
  if (colour) {
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    swatch.style.setProperty("background-color", colour);
    made.append(swatch);
  }
  made.append(text);
  if (key) made.setAttribute("aria-keyshortcuts", key === "⌫" ? "Backspace" : key);
  made.disabled = !shown && text !== "undo";
  made.addEventListener("click", () => Promise.resolve(action()).catch(tell));
  return made;
}

function gap() {
  return Object.assign(document.createElement("button"), { className: "empty", disabled: true });
}

function buttons() {
  const colours = Object.fromEntries(state.classes.map((name, i) => [name, state.colours[i]]));
  const guesses = (shown?.query.guesses ?? []).map((name, i) =>
    button(`${name} · ${i ? "near it" : "guess"}`, `${i + 1}`, () => give("label", name), colours[name]));
  while (guesses.length < GUESSES) guesses.push(gap()); // what is below stays where it is
  at("guesses").replaceChildren(...guesses);
  at("acts").replaceChildren(
    button("unsure", "?", () => give("unsure")),
    button("skip", "Space", () => give("skip")),
    button("undo", "⌫", () => inOrder(undo)),
  );
  const wanted = at("search").value.trim().toLowerCase();
  const keys = keysOf(state.classes);
  const found = state.classes.filter((name) => name.toLowerCase().includes(wanted));
  at("classes").replaceChildren(...found.map((name) =>
    button(name, keys[state.classes.indexOf(name)], () => give("label", name), colours[name])));
}

function draw() {
  const canvas = at("photograph");
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  at("crop").getContext("2d").clearRect(0, 0, 240, 240);
  if (!shown) return;
  const { query, image } = shown;
  pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  pen.imageSmoothingEnabled = view.scale < 3;
  paint(pen, image);
  const x = view.x + (query.col + 0.5) * view.scale;
  const y = view.y + (query.row + 0.5) * view.scale;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  ring(pen, x, y, Math.max(RING, view.scale));
  magnify(query, image);
}

function paint(pen, image) {
  pen.drawImage(image, 0, 0);
  if (!overlayPicture) return;
  pen.globalAlpha = at("opacity").value / 100;
  pen.drawImage(overlayPicture, 0, 0, image.naturalWidth, image.naturalHeight);
  pen.globalAlpha = 1;
}

function ring(pen, x, y, radius) {
  for (const [colour, width] of [["#000", 7], ["#fff", 3]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }
}

function magnify(query, image) {
  const pen = at("crop").getContext("2d");
  const scale = 240 / (CROP + 1);
  pen.imageSmoothingEnabled = false;
  pen.setTransform(scale, 0, 0, scale, (CROP / 2 - query.col) * scale, (CROP / 2 - query.row) * scale);
  pen.drawImage(image, 0, 0);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  for (const [colour, grow] of [["#000", 2], ["#fff", 1]]) {
    pen.strokeStyle = colour;
    pen.strokeRect(CROP / 2 * scale - grow, CROP / 2 * scale - grow, scale + 2 * grow, scale + 2 * grow);
  }
}

function fit() {
  if (!shown) return;
  const { clientWidth: width, clientHeight: height } = at("photograph");
  const { naturalWidth, naturalHeight } = shown.image;
  fitted = shown.query.image;
  const scale = Math.min(width / naturalWidth, height / naturalHeight);
  view = { scale, x: (width - naturalWidth * scale) / 2, y: (height - naturalHeight * scale) / 2 };
  draw();
}

function zoom(factor, x, y) {
  if (!shown) return;
  const scale = Math.min(64, Math.max(0.02, view.scale * factor));
  const real = scale / view.scale;
  view = { scale, x: x - (x - view.x) * real, y: y - (y - view.y) * real };
  draw();
}

function zoomOnPixel(factor) {
  if (!shown) return;
  const { query } = shown;
  zoom(factor, view.x + (query.col + 0.5) * view.scale, view.y + (query.row + 0.5) * view.scale);
}

async function loadOverlay() {
  const [kind, { query }] = [overlay, shown];
  const found = await picture(kind, query.image);
  if (shown?.query.image !== query.image || overlay !== kind) return;
  overlayPicture = found;
  draw();
}

function toggle(kind) {
  overlay = overlay === kind || !state.has_map ? null : kind;
  overlayPicture = null;
  for (const one of OVERLAYS) at(`show-${one}`).setAttribute("aria-pressed", String(one === overlay));
  at("opacity").disabled = overlay === null;
  at("legend").hidden = overlay !== "map";
  if (overlay && shown) loadOverlay().catch(tell);
  draw();
}

// Of a key with a letter, on any layout and with Caps Lock; Shift is for the view.
function letter({ key, code, shiftKey }) {
  if (/^[a-z]$/i.test(key)) return shiftKey ? "none" : key.toLowerCase();
  return /^Key[A-Z]$/.test(code) && !shiftKey ? code[3].toLowerCase() : "none";
}

function onKey(event) {
  if (event.target.matches("input:not([type='range'])") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (at("hello").open) return;
  const keys = keysOf(state.classes);
  const known = {
    "?": () => give("unsure"),
    " ": () => give("skip"), Backspace: () => inOrder(undo), "+": () => zoomOnPixel(1.5), "=": () => zoomOnPixel(1.5),
    "-": () => zoomOnPixel(1 / 1.5), "0": fit, M: () => toggle("map"),
    S: () => toggle("segmentation"), "/": () => at("search").focus(),
  };
  const index = keys.indexOf(letter(event));
  const guess = shown?.query.guesses[event.key - 1];
  const name = index >= 0 ? state.classes[index] : guess;
  const action = name ? () => give("label", name) : known[event.key];
  if (!action || (event.key === " " && event.target instanceof HTMLButtonElement)) return;
  event.preventDefault();
  if (event.repeat && !"+=-".includes(event.key)) return; // a key that is held is one answer
  Promise.resolve(action()).catch(tell);
}

function onSearch(event) {
  if (event.key === "Escape" || event.key === "Enter") {
    const first = at("classes").querySelector("button");
    at("search").blur();
    if (event.key === "Enter" && at("search").value && first) first.click();
    at("search").value = "";
    buttons();
  }
}

function listen() {
  const stage = at("photograph");
  const fingers = new Map();
  let apart = 0;
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    apart = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before || !shown) return;
    fingers.set(event.pointerId, event);
    const all = [...fingers.values()];
    if (all.length === 2) {
      const now = Math.hypot(all[0].offsetX - all[1].offsetX, all[0].offsetY - all[1].offsetY);
      if (apart) zoom(now / apart, (all[0].offsetX + all[1].offsetX) / 2, (all[0].offsetY + all[1].offsetY) / 2);
      apart = now;
      return;
    }
    view = { ...view, x: view.x + event.offsetX - before.offsetX, y: view.y + event.offsetY - before.offsetY };
    draw();
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    stage.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  }
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
  }, { passive: false });
  at("zoom-in").addEventListener("click", () => zoomOnPixel(1.5));
  at("zoom-out").addEventListener("click", () => zoomOnPixel(1 / 1.5));
  at("fit").addEventListener("click", fit);
  for (const kind of OVERLAYS) at(`show-${kind}`).addEventListener("click", () => toggle(kind));
  at("opacity").addEventListener("input", draw);
  at("search").addEventListener("input", buttons);
  at("search").addEventListener("keydown", onSearch);
  at("annotator").addEventListener("change", () => {
    const name = at("annotator").value.trim();
    (name ? become(name) : introduce()).catch(tell);
  });
  // A button that was clicked is not the one that Space presses next: the photograph is.
  addEventListener("mousedown", (event) => {
    if (event.target.closest("button") && !event.target.closest("dialog")) event.preventDefault();
  });
  addEventListener("keydown", onKey);
  addEventListener("resize", fit);
  addEventListener("beforeunload", (event) => unsent.size && event.preventDefault());
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    addEventListener(kind, () => (active = Date.now()), { passive: true });
  }
  setInterval(look, LOOK_MS);
}

// Keep what is ours while somebody is here; look for more where there is nothing to show.
function look() {
  const now = Date.now();
  if (!me || now - active > AWAY_MS || now - filled < (shown ? KEEP_MS : LOOK_MS)) return;
  filled = now; // the next one waits for this one
  turn().catch(tell);
}

// Who answers must be known before there is an answer.
function introduce() {
  at("hello").showModal();
  return new Promise((resolve) => {
    at("hello").addEventListener("close", () => {
      const name = at("name").value.trim();
      resolve(name ? become(name) : introduce()); // Escape is no name
    }, { once: true });
  });
}

async function become(name) {
  me = name;
  shown = null; // it is another's
  at("annotator").value = name;
  localStorage.setItem("balentacq-annotator", name);
  at("annotator").blur();
  queue = [];
  await turn();
}

async function begin() {
  history.replaceState(null, "", location.pathname); // the token is a cookie now
  state = await ask("/v1/state");
  at("find").hidden = state.classes.length <= FEW;
  for (const kind of OVERLAYS) at(`show-${kind}`).hidden = !state.has_map;
  listen();
  const own = stored("annotator", "");
  await (own ? become(own) : introduce());
}

begin().catch(tell);
