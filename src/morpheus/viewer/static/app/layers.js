// The layers of a map: what they are called, which tiles they need, and how they are drawn.

import { ImageTile, TileGrid, TileLayer } from "../vendor/vendor.js";
import { bitmap } from "./loading.js";
import {
  asPicture,
  bandColors,
  drawBand,
  drawClasses,
  drawDifference,
  drawOutlines,
  drawShare,
  scatterColors,
  shareColors,
} from "./render.js";

const BACKGROUND_COLOR = "#ffffff";

/** Lists the layers of a run, from what lies lowest: {id, name, group}. */
export function listLayers(manifest, compared) {
  const layers = [];
  const sets = Object.values(manifest.sets);
  if (manifest.sets.rgb) {
    const bands = [...new Set(manifest.sets.rgb.planes)].join(", ");
    layers.push({ id: "rgb", name: "Colour", detail: bands, group: "Sky" });
  }
  for (const band of manifest.bands) {
    layers.push({ id: `band:${band.name}`, name: band.name, band, group: "Sky" });
  }
  layers.push({ id: "classes", name: "All classes", group: "Classes" });
  for (const c of manifest.classes) {
    layers.push({ id: `share:${c.name}`, name: c.label, class: c, group: "Classes" });
  }
  if (sets.some((set) => set.kind === "scatter")) {
    for (const c of manifest.classes) {
      layers.push({
        id: `scatter:${c.name}`,
        name: c.label,
        class: c,
        group: "Scatter between windows",
      });
    }
  }
  if (compared) {
    for (const c of manifest.classes) {
      layers.push({ id: `change:${c.name}`, name: c.label, class: c, group: "Second run less the first (red: more)" });
    }
  }
  if (manifest.sets.labels) layers.push({ id: "outlines", name: "Outlines", group: "Sources" });
  return layers;
}

/** Where the channel of a class or band is: {set, channel}. */
export function findPlane(manifest, kind, name) {
  for (const [set, { kind: its, planes }] of Object.entries(manifest.sets)) {
    if (its === kind && planes.includes(name)) return { set, channel: planes.indexOf(name) };
  }
  return null;
}

export const colorOf = (c, palette) =>
  c.source ? (palette === "paper" ? c.paper : c.safe) : BACKGROUND_COLOR;

/**
 * Makes a function that draws a layer's tile: (level, row, column) to a promise of RGBA numbers.
 * The layer 'rgb' needs none: its tiles are pictures.
 *
 * @param other tiles of the run that a layer 'change' compares with, or null
 * @param look what the drawing depends on: {stretch, palette, colorOfSource}
 */
export function painter(layer, tiles, other, look) {
  const { manifest } = tiles;
  const [kind, name] = layer.id.split(/:(.*)/s);
  const side = manifest.tile;
  const draw = (work) => async (...place) => {
    const out = new Uint32Array(side * side);
    await work(out, place);
    return out;
  };
  if (kind === "band") {
    const { set } = findPlane(manifest, "band", name);
    const colors = bandColors(look.stretch);
    return draw(async (out, place) => drawBand(out, await tiles.bytes(set, ...place), colors));
  }
  if (kind === "share" || kind === "scatter") {
    const { set, channel } = findPlane(manifest, kind, name);
    const colors = kind === "share" ? shareColors(colorOf(layer.class, look.palette)) : scatterColors();
    return draw(async (out, place) => drawShare(out, await tiles.bytes(set, ...place), channel, colors));
  }
  if (kind === "change") {
    const { set, channel } = findPlane(manifest, "share", name);
    return draw(async (out, place) => {
      const both = [tiles.bytes(set, ...place), other.bytes(set, ...place)];
      drawDifference(out, ...(await Promise.all(both)), channel);
    });
  }
  if (kind === "classes") {
    const planes = manifest.classes.map((c) => ({
      ...findPlane(manifest, "share", c.name),
      source: c.source,
      color: colorOf(c, look.palette),
    }));
    return draw(async (out, place) => {
      const filled = await Promise.all(
        planes.map(async (plane) => ({ ...plane, bytes: await tiles.bytes(plane.set, ...place) })),
      );
      const background = filled.find((plane) => !plane.source);
      drawClasses(out, filled.filter((plane) => plane.source), background);
    });
  }
  return draw(async (out, place) =>
    drawOutlines(out, await tiles.bytes("labels", ...place), side, look.colorOfSource),
  );
}

/** What the drawing of a layer depends on, as a text: when it changes, tiles are drawn anew. */
export function lookKey(layer, state) {
  if (layer.id.startsWith("band:")) return JSON.stringify(state.stretch[layer.band.name]);
  if (layer.id === "outlines") return `${state.selected}|${state.filterVersion}|${state.palette}`;
  return state.palette;
}

/** The grid of tiles, in pixels of the image: x to the right, y up, the first pixel's centre at 0. */
function tileGrid(manifest) {
  const [height, width] = manifest.shape;
  const whole = manifest.tile * 2 ** manifest.levels;
  // The rows of tiles are counted from the bottom, OpenLayers' from the top: the grid ends above
  // the image where a tile of the coarsest level does.
  const top = Math.ceil(height / whole) * whole - 0.5;
  return new TileGrid({
    extent: [-0.5, -0.5, Math.ceil(width / whole) * whole - 0.5, top],
    origin: [-0.5, top],
    tileSize: manifest.tile,
    resolutions: Array.from({ length: manifest.levels + 1 }, (_, z) => 2 ** (manifest.levels - z)),
  });
}

/** Level, row and column, as the server counts them, of OpenLayers' tile. */
export function place(manifest, z, x, y) {
  const level = manifest.levels - z;
  const whole = manifest.tile * 2 ** manifest.levels;
  const rows = (Math.ceil(manifest.shape[0] / whole) * whole) / (manifest.tile * 2 ** level);
  return [level, rows - 1 - y, x];
}

/** Whether the field has such a tile. */
function exists(manifest, [level, row, column]) {
  const [height, width] = manifest.shape;
  const size = manifest.tile * 2 ** level;
  return row >= 0 && column >= 0 && row * size < height && column * size < width;
}

/** Makes the OpenLayers layer; `paint` is read at each tile, so that it can be replaced. */
export function makeLayer(layer, tiles, projection, holder) {
  const { manifest } = tiles;
  const [height, width] = manifest.shape;
  const source = new ImageTile({
    projection,
    tileGrid: tileGrid(manifest),
    wrapX: false,
    interpolate: false,
    transition: 0,
    loader: async (z, x, y) => {
      const where = place(manifest, z, x, y);
      if (!exists(manifest, where)) return asPicture(new Uint32Array(manifest.tile ** 2), manifest.tile);
      if (layer.id === "rgb") return bitmap(tiles.address("rgb", ...where));
      return asPicture(await holder.paint(...where), manifest.tile);
    },
  });
  return new TileLayer({
    source,
    extent: [-0.5, -0.5, width - 0.5, height - 0.5],
    // Of this layer alone: OpenLayers draws layers of one class into one canvas.
    className: `layer-${[...layer.id].map((c) => c.codePointAt(0).toString(16)).join("")}`,
    background: "transparent",
    properties: { id: layer.id },
  });
}
