// Small pictures of a place, cut out of tiles of the full size.

import { painter } from "./layers.js";

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

async function bitmap(address) {
  const reply = await fetch(address);
  if (!reply.ok) throw new Error(`${address}: ${reply.status}`);
  return createImageBitmap(await reply.blob());
}
