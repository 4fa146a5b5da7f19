// Bytes of tiles become colours.

import { BAND_CODES, SHARES, SIGNALS, bandCode, labelCode } from "./coding.js";

export const STRETCHES = {
  asinh: (t) => Math.asinh(10 * t) / Math.asinh(10),
  log: (t) => Math.log1p(1000 * t) / Math.log(1001),
  sqrt: Math.sqrt,
  linear: (t) => t,
};

const INFERNO = ["#000004", "#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4"].map(channels);

/** Red, green and blue, 0 to 255, of '#rrggbb'. */
function channels(color) {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
}

const pixel = (r, g, b, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** Colours of all codes of a band; {kind, low, high} in units of the sky's noise, and a colour. */
export function bandColors({ kind, low, high, color }) {
  const [r, g, b] = channels(color);
  const colors = new Uint32Array(BAND_CODES);
  for (let code = 1; code < BAND_CODES; code++) {
    const t = Math.min(Math.max((SIGNALS[code] - low) / (high - low), 0), 1);
    const light = STRETCHES[kind](t);
    colors[code] = pixel(r * light, g * light, b * light);
  }
  return colors;
}

/** Colours of all codes of a probability: black to a colour. */
export function shareColors(color) {
  const [r, g, b] = channels(color);
  const colors = new Uint32Array(256);
  for (let code = 1; code < 256; code++) {
    colors[code] = pixel(r * SHARES[code], g * SHARES[code], b * SHARES[code]);
  }
  return colors;
}

/** Colours of all codes of a scatter: dark to bright. */
export function scatterColors() {
  const colors = new Uint32Array(256);
  for (let code = 1; code < 256; code++) {
    const place = SHARES[code] * (INFERNO.length - 1);
    const i = Math.min(Math.floor(place), INFERNO.length - 2);
    colors[code] = pixel(...INFERNO[i].map((part, k) => part + (place - i) * (INFERNO[i + 1][k] - part)));
  }
  return colors;
}

/** Draws a band. */
export function drawBand(out, bytes, colors) {
  for (let i = 0, k = 0; k < out.length; i += 4, k++) out[k] = colors[bandCode(bytes, i)];
}

/** Draws one channel of tiles with probabilities or scatter. */
export function drawShare(out, bytes, channel, colors) {
  for (let i = channel, k = 0; k < out.length; i += 4, k++) out[k] = colors[bytes[i]];
}

/**
 * Draws all classes as Hausen & Robertson (2020), section 4.5, as visual/colors.py does: the hue
 * of the most probable source class, saturated as far as it leads, as bright as it is no background.
 *
 * @param planes of each source class: {bytes, channel, color}
 * @param background {bytes, channel}
 */
export function drawClasses(out, planes, background) {
  const colors = planes.map((plane) => channels(plane.color));
  for (let i = 0, k = 0; k < out.length; i += 4, k++) {
    const dark = background.bytes[i + background.channel];
    if (!dark) {
      out[k] = 0;
      continue;
    }
    let first = 0;
    let second = 0;
    let leader = 0;
    for (let c = 0; c < planes.length; c++) {
      const value = SHARES[planes[c].bytes[i + planes[c].channel]];
      if (value > first) {
        second = first;
        first = value;
        leader = c;
      } else if (value > second) second = value;
    }
    const lead = first - second;
    const value = 1 - SHARES[dark];
    const [r, g, b] = colors[leader];
    out[k] = pixel(
      value * (255 - lead * (255 - r)),
      value * (255 - lead * (255 - g)),
      value * (255 - lead * (255 - b)),
    );
  }
}

/** The colour of a change of a probability, from -1 (blue) to 1 (red); small ones are shown large. */
export function changeColor(change) {
  const fade = 1 - Math.sqrt(Math.abs(change));
  return (change < 0 ? [33, 102, 172] : [178, 24, 43]).map((part) => part + fade * (247 - part));
}

/** Draws how a probability differs between two runs, the second less the first. */
export function drawDifference(out, first, second, channel) {
  for (let i = channel, k = 0; k < out.length; i += 4, k++) {
    const known = first[i] && second[i];
    out[k] = known ? pixel(...changeColor(SHARES[second[i]] - SHARES[first[i]])) : 0;
  }
}

/**
 * Draws the inner edges of sources.
 *
 * @param bytes of tiles with an apron of one pixel
 * @param side of the tile without it
 * @param colorOf gives the colour of a source as a number, 0 for none
 */
export function drawOutlines(out, bytes, side, colorOf) {
  const wide = side + 2;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = 4 * ((y + 1) * wide + x + 1);
      const label = labelCode(bytes, at);
      let color = 0;
      if (
        label &&
        (labelCode(bytes, at - 4) !== label ||
          labelCode(bytes, at + 4) !== label ||
          labelCode(bytes, at - 4 * wide) !== label ||
          labelCode(bytes, at + 4 * wide) !== label)
      ) {
        color = colorOf(label);
      }
      out[y * side + x] = color;
    }
  }
}

/** A colour '#rrggbb' as the number of a pixel. */
export const colorNumber = (color, alpha = 255) => pixel(...channels(color), alpha);

/** Writes a square dot, 2 `half` + 1 pixels a side, into the numbers of a picture. */
export function drawDot(pixels, width, height, x, y, half, color) {
  const [bottom, right] = [Math.min(height - 1, y + half), Math.min(width - 1, x + half)];
  for (let j = Math.max(0, y - half); j <= bottom; j++) {
    for (let i = Math.max(0, x - half); i <= right; i++) pixels[j * width + i] = color;
  }
}

/** A picture (ImageBitmap) of the numbers of a square of pixels. */
export function asPicture(colors, side) {
  const canvas = new OffscreenCanvas(side, side);
  const bytes = new Uint8ClampedArray(colors.buffer);
  canvas.getContext("2d").putImageData(new ImageData(bytes, side, side), 0, 0);
  return canvas.transferToImageBitmap();
}
