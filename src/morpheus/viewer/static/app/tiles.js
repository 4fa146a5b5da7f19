// Tiles as bytes: fetched and decoded once, kept while there is room.

const KEPT = 400; // tiles of 256 KiB
const RETRY = [500, 1500, 4000]; // ms; a server may be starting again

export class Tiles {
  /** @param base address of a run, ending on a slash. */
  constructor(base, manifest) {
    this.base = base;
    this.manifest = manifest;
    this.kept = new Map();
  }

  address(set, level, row, column) {
    return `${this.base}tiles/${set}/${level}/${row}_${column}.${this.manifest.sets[set].suffix}`;
  }

  /** Width of a tile's picture, with its apron. */
  side(set) {
    return this.manifest.tile + 2 * this.manifest.sets[set].apron;
  }

  /** Bytes (RGBA, rows from the top down) of a tile. */
  bytes(set, level, row, column) {
    const address = this.address(set, level, row, column);
    let promise = this.kept.get(address);
    if (promise) {
      this.kept.delete(address); // the one that was used last is the last to go
    } else {
      promise = decode(address, this.side(set));
      promise.catch(() => this.kept.delete(address));
      if (this.kept.size >= KEPT) this.kept.delete(this.kept.keys().next().value);
    }
    this.kept.set(address, promise);
    return promise;
  }
}

/** Fetches what has an address; tries again if there is no answer. */
export async function load(address, turn = 0) {
  let reply;
  try {
    reply = await fetch(address);
  } catch (error) {
    if (turn === RETRY.length) throw error;
    await new Promise((done) => setTimeout(done, RETRY[turn]));
    return load(address, turn + 1);
  }
  if (!reply.ok) throw new Error(`${address}: ${reply.status} ${await reply.text()}`);
  return reply;
}

/** The picture at an address. */
export async function bitmap(address, options) {
  return createImageBitmap(await (await load(address)).blob(), options);
}

async function decode(address, side) {
  const exact = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const picture = await bitmap(address, exact);
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, side, side).data;
}
