// Small pictures of a place, cut out of tiles of the full size.

import { labelCode } from "./coding.js";
import { painter } from "./layers.js";
import { bitmap } from "./tiles.js";

const FINE = 8; // pixels of a canvas for one of the image, where lines are drawn between pixels

/**
 * Draws a layer around a pixel into a canvas, one canvas pixel for one of the image.
 *
 * @param layer as listLayers gives it
 * @param look what its drawing depends on
 */
export async function drawStamp(canvas, layer, tiles, { x, y, side }, look) {
  const { manifest } = tiles;
  const [height, width] = manifest.shape;
  const left = Math.round(x) - Math.floor(side / 2);
  const bottom = Math.round(y) - Math.floor(side / 2);
  const paint = layer.id === "rgb" ? null : painter(layer, tiles, null, look);
  const parts = [];
  const first = (start) => Math.max(0, Math.floor(start / manifest.tile));
  const last = (end, size) => Math.floor(Math.min(end - 1, size - 1) / manifest.tile);
  for (let row = first(bottom); row <= last(bottom + side, height); row++) {
    for (let column = first(left); column <= last(left + side, width); column++) {
      parts.push(
        (async () => {
          const picture = paint
            ? asCanvas(await paint(0, row, column), manifest.tile)
            : await bitmap(tiles.address("rgb", 0, row, column));
          return [picture, column * manifest.tile - left, row * manifest.tile - bottom];
        })(),
      );
    }
  }
  const drawn = await Promise.all(parts);
  Object.assign(canvas, { width: side, height: side });
  const context = canvas.getContext("2d");
  context.save();
  context.beginPath(); // tiles go on beyond the field
  context.rect(-left, side - (height - bottom), width, height);
  context.clip();
  for (const [picture, dx, dy] of drawn) {
    context.drawImage(picture, dx, side - dy - manifest.tile);
  }
  context.restore();
}

/** Draws lines around the sources of a place: bright around one, dim around the others. */
export async function drawEdges(canvas, tiles, { x, y, side }, target) {
  const { manifest } = tiles;
  const [height, width] = manifest.shape;
  const left = Math.round(x) - Math.floor(side / 2);
  const bottom = Math.round(y) - Math.floor(side / 2);
  const wide = tiles.side("labels");
  const kept = new Map();
  const need = [];
  const part = (value) => Math.floor(value / manifest.tile);
  const inside = (i, j) => i >= 0 && j >= 0 && i < width && j < height;
  for (let row = part(bottom - 1); row <= part(bottom + side); row++) {
    for (let column = part(left - 1); column <= part(left + side); column++) {
      if (!inside(column * manifest.tile, row * manifest.tile)) continue;
      const load = async () =>
        kept.set(`${row},${column}`, await tiles.bytes("labels", 0, row, column));
      need.push(load());
    }
  }
  await Promise.all(need);
  const label = (i, j) => {
    const bytes = inside(i, j) && kept.get(`${part(j)},${part(i)}`);
    if (!bytes) return 0;
    const [dx, dy] = [i - part(i) * manifest.tile, j - part(j) * manifest.tile];
    return labelCode(bytes, 4 * ((wide - 2 - dy) * wide + dx + 1));
  };
  Object.assign(canvas, { width: side * FINE, height: side * FINE });
  const context = canvas.getContext("2d");
  for (const [color, wanted, line] of [["#8a93a0", false, 1.5], ["#4cc9f0", true, 3]]) {
    context.beginPath();
    for (let j = bottom; j < bottom + side; j++) {
      for (let i = left; i < left + side; i++) {
        const here = label(i, j);
        for (const [di, dj] of [[1, 0], [0, 1]]) {
          const there = label(i + di, j + dj);
          if (here === there || (here === target || there === target) !== wanted) continue;
          const [px, py] = [(i - left + di) * FINE, (side - (j - bottom) - dj) * FINE];
          context.moveTo(px, py);
          context.lineTo(px + dj * FINE, py - di * FINE);
        }
      }
    }
    Object.assign(context, { strokeStyle: color, lineWidth: line, lineCap: "square" });
    context.stroke();
  }
}

/** The side of a stamp that shows a source and what is around it. */
export function stampSide(details) {
  const box = Math.max(details.x_max - details.x_min, details.y_max - details.y_min) + 1;
  return Math.min(400, Math.max(48, Math.round(1.8 * box)));
}

function asCanvas(colors, side) {
  const canvas = new OffscreenCanvas(side, side);
  const bytes = new Uint8ClampedArray(colors.buffer);
  canvas.getContext("2d").putImageData(new ImageData(bytes, side, side), 0, 0);
  return canvas;
}
