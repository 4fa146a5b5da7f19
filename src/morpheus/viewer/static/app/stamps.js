// Small pictures of a place, cut out of tiles of the full size.

import { labelCode } from "./coding.js";
import { painter } from "./layers.js";
import { bitmap } from "./loading.js";
import { asPicture } from "./render.js";

const FINE = 8; // pixels of a canvas for one of the image, where lines are drawn between pixels
const WIDEST = 2400; // pixels of a canvas

/** The first pixel of a square around a place, and the tiles that it lies on. */
function cut({ tile, shape: [height, width] }, { x, y, side }) {
  const [left, bottom] = [x, y].map((value) => Math.round(value) - Math.floor(side / 2));
  const part = (value, size) => Math.floor(Math.min(Math.max(value, 0), size - 1) / tile);
  const tiles = [];
  for (let row = part(bottom, height); row <= part(bottom + side, height); row++) {
    for (let column = part(left, width); column <= part(left + side, width); column++) {
      tiles.push([row, column]);
    }
  }
  return { left, bottom, tiles };
}

/**
 * Draws a layer around a place, one canvas pixel for one of the image.
 *
 * @param layer as listLayers gives it
 * @param place {x, y, side}, in pixels
 * @param look what its drawing depends on
 */
export async function stamp(layer, tiles, place, look) {
  const { manifest } = tiles;
  const { tile, shape } = manifest;
  const { side } = place;
  const { left, bottom, tiles: parts } = cut(manifest, place);
  const paint = layer.id === "rgb" ? null : painter(layer, tiles, null, look);
  const pictures = await Promise.all(
    parts.map(async ([row, column]) =>
      paint
        ? asPicture(await paint(0, row, column), tile)
        : bitmap(tiles.address("rgb", 0, row, column)),
    ),
  );
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d");
  context.beginPath(); // tiles go on beyond the field
  context.rect(-left, side - (shape[0] - bottom), shape[1], shape[0]);
  context.clip();
  parts.forEach(([row, column], i) => {
    context.drawImage(pictures[i], column * tile - left, side - ((row + 1) * tile - bottom));
  });
  return canvas;
}

/** Draws lines around the sources of a place: bright around one, dim around the others. */
export async function edges(tiles, place, target) {
  const { tile, shape: [height, width] } = tiles.manifest;
  const { side } = place;
  const { left, bottom, tiles: parts } = cut(tiles.manifest, place);
  const wide = tiles.side("labels");
  const bytes = new Map();
  await Promise.all(
    parts.map(async (part) => bytes.set(part.join(), await tiles.bytes("labels", 0, ...part))),
  );
  const label = (i, j) => {
    if (i < 0 || j < 0 || i >= width || j >= height) return 0;
    const [row, column] = [Math.floor(j / tile), Math.floor(i / tile)];
    const at = (wide - 2 - (j - row * tile)) * wide + (i - column * tile) + 1;
    return labelCode(bytes.get(`${row},${column}`), 4 * at);
  };
  const fine = Math.max(1, Math.min(FINE, Math.floor(WIDEST / side)));
  const canvas = new OffscreenCanvas(side * fine, side * fine);
  const context = canvas.getContext("2d");
  for (const [color, wanted, line] of [["#8a93a0", false, 1.5], ["#4cc9f0", true, 3]]) {
    context.beginPath();
    for (let j = bottom; j < bottom + side; j++) {
      for (let i = left; i < left + side; i++) {
        const here = label(i, j);
        for (const [di, dj] of [[1, 0], [0, 1]]) {
          const there = label(i + di, j + dj);
          if (here === there || (here === target || there === target) !== wanted) continue;
          const [px, py] = [(i - left + di) * fine, (side - (j - bottom) - dj) * fine];
          context.moveTo(px, py);
          context.lineTo(px + dj * fine, py - di * fine);
        }
      }
    }
    Object.assign(context, { strokeStyle: color, lineWidth: line, lineCap: "square" });
    context.stroke();
  }
  return canvas;
}

/** The side of a stamp that shows a source and what is around it. */
export function stampSide(details) {
  const box = Math.max(details.x_max - details.x_min, details.y_max - details.y_min) + 1;
  return Math.min(400, Math.max(48, Math.round(1.8 * box)));
}
