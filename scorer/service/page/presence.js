// Whether somebody is here, and when the page asks the service again without an answer.

const LOOK_MS = 1000; // how often the page looks whether it has to ask
const KEEP_MS = 30000; // how often the leases of the pixels are renewed
const LIVE_MS = 3000; // how often the page looks for a newer model, where models come and go
const AWAY_MS = 600000; // how long nobody does anything until the pixels are left to others

/**
 * The times that decide, as Date.now() gives them. active: when somebody last did something.
 * filled: when the service was last asked. isShown: whether there is a pixel on the screen. isLive:
 * whether models come and go.
 * @typedef {{ now: number, active: number, filled: number, isShown: boolean, isLive: boolean }} Times
 */

/**
 * Whether the page asks the service again: to keep its pixels while somebody is here, to follow the
 * newest model, and to find pixels where there is none to show.
 *
 * @param {Times} times
 * @returns {boolean}
 */
export function isDue({ now, active, filled, isShown, isLive }) {
  const isAway = now - active > AWAY_MS;
  const pause = isLive ? LIVE_MS : KEEP_MS;
  return !isAway && now - filled >= (isShown ? pause : LOOK_MS);
}

/**
 * Calls a function again and again, with when somebody last did something.
 *
 * @param {(active: number) => void} look
 */
export function watch(look) {
  let active = Date.now();
  const note = () => {
    active = Date.now();
  };
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    addEventListener(kind, note, { passive: true });
  }
  setInterval(() => look(active), LOOK_MS);
}
