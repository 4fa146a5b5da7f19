// Fetches what pages need; asks again if there is no answer.

const RETRY = [500, 1500, 4000]; // ms; a server may be starting again
const LONGEST = 200; // characters of an answer that a message shows

/** The reply from an address. */
export async function load(address, turn = 0) {
  let reply;
  try {
    reply = await fetch(address);
  } catch (error) {
    if (turn === RETRY.length) throw error;
    await new Promise((done) => setTimeout(done, RETRY[turn]));
    return load(address, turn + 1);
  }
  if (!reply.ok) {
    throw new Error(`${address}: ${reply.status} ${(await reply.text()).slice(0, LONGEST)}`);
  }
  return reply;
}

/** The picture at an address. */
export async function bitmap(address, options) {
  return createImageBitmap(await (await load(address)).blob(), options);
}

/** What a map keeps under a key: a promise, made when it is first needed, and anew if it failed. */
export function keep(map, key, make) {
  if (!map.has(key)) {
    const promise = make();
    map.set(key, promise);
    promise.catch(() => map.get(key) === promise && map.delete(key));
  }
  return map.get(key);
}
