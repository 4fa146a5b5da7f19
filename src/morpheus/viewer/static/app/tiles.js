// Tiles as bytes: fetched and decoded once, kept while there is room.

import { bitmap, keep } from "./loading.js";

const KEPT = 400; // tiles of 256 KiB

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
    const promise = keep(this.kept, address, () => decode(address, this.side(set)));
    this.kept.delete(address); // the one that was used last is the last to go
    this.kept.set(address, promise);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    return promise;
  }
}

async function decode(address, side) {
  const exact = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const picture = await bitmap(address, exact);
  const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, side, side).data;
}
