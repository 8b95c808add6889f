// Decides when the page asks the service again although no answer was given.

const LOOK_MS = 1000; // interval of the check whether to ask
const KEEP_MS = 30000; // interval of renewing the leases of pixels
const LIVE_MS = 3000; // interval of looking for a newer model, in a live session
const AWAY_MS = 600000; // time without activity after which leases are no longer renewed

/**
 * The inputs of the decision; times as of Date.now(). active: the user's last activity. filled:
 * when the service was last asked. isShown: whether there is a pixel on the screen. isLive: whether
 * the session is live, so that newer models may arrive.
 * @typedef {{ now: number, active: number, filled: number, isShown: boolean, isLive: boolean }} Times
 */

/**
 * Whether the page asks the service again: to renew leases while the user is active, to follow the
 * newest model, or to get pixels if there is none to show.
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
 * Calls a function periodically with the time of the user's last activity.
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
