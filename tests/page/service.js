// What the tests share: a service that answers in memory, and queries.

/** A pixel that the service asks for. */
export const query = (image, row = 1, col = 2) => ({ image, row, col, guesses: [] });

/** What the service says of itself, with changes. */
export const state = (changes = {}) => ({
  classes: ["sky", "road"], colours: ["#4682b4", "#804080"], has_map: true, started: "1", graph: "g", images: 9,
  ranked: 9, failure: null, pixels_left: 9, images_left: 9, pool_ranked: true,
  learned: null, grows: false, second_looks: 0, answers: 0, just_in_time: false, ...changes,
});

/** An answer of HTTP with a JSON body. */
export const answer = (body, status = 200) => new Response(JSON.stringify(body), { status });

/** A fetch that notes what is asked, and takes what it answers from a function. */
export function fakeFetch(answering) {
  const asked = [];
  const fetch = async (address, options) => {
    asked.push({ address, options, body: options ? JSON.parse(options.body) : null });
    return answering(address, asked.length);
  };
  return { fetch, asked };
}

/** A fetch of a service whose queue has these queries. */
export function serviceWith(queries, more = () => answer({})) {
  const served = { queries, state: state() };
  const found = fakeFetch((address) => {
    if (address === "/v1/state") return answer(served.state);
    return address.startsWith("/v1/queue") ? answer(served.queries) : more(address);
  });
  return { ...found, served };
}

/** A promise, and what ends it. */
export function later() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** Waits until everything that waits for nothing else has happened. */
export const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
