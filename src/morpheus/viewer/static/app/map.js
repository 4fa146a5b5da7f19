// The map: layers of tiles under the sources, moved by pointer, touch and keys.

import {
  defaultInteractions,
  KeyboardPan,
  KeyboardZoom,
  Map as OlMap,
  Projection,
  View,
} from "../vendor/vendor.js";
import { colorOf, findPlane, listLayers, lookKey, makeLayer, painter } from "./layers.js";
import { Overlay } from "./overlay.js";
import { colorNumber } from "./render.js";

const CLOSEST = 1 / 16; // pixels of the image for one of the screen
const BLINK = 700; // ms
const EVERY = "\0"; // the look of a layer that was not drawn yet

/** Makes the view that one or two maps share. */
export function makeView(manifest) {
  const [height, width] = manifest.shape;
  const extent = [-0.5, -0.5, width - 0.5, height - 0.5];
  const projection = new Projection({ code: "pixels", units: "pixels", extent });
  const resolutions = [];
  for (let r = 2 ** (manifest.levels + 2); r >= CLOSEST; r /= 2) resolutions.push(r);
  return new View({
    projection,
    resolutions,
    constrainResolution: true,
    center: [width / 2 - 0.5, height / 2 - 0.5],
    extent: [-0.5 - width / 2, -0.5 - height / 2, 1.5 * width, 1.5 * height],
    constrainOnlyCenter: true,
    enableRotation: false,
    resolution: resolutions[0],
  });
}

export class FieldMap {
  /**
   * @param run {manifest, tiles, catalog, sky}
   * @param other the run that it is compared with, or null
   * @param first the run whose sources have the numbers that the state has
   */
  constructor(target, run, other, first, view, store) {
    Object.assign(this, { run, other, first, store });
    this.available = new Map(listLayers(run.manifest, other !== null).map((l) => [l.id, l]));
    this.holders = new Map();
    this.overlay = run.catalog && new Overlay(run.catalog, run.sky, () => store.state, () => this.selected());
    const interactions = defaultInteractions({ altShiftDragRotate: false, pinchRotate: false, keyboard: false });
    this.map = new OlMap({ target, view, controls: [], interactions, layers: [], maxTilesLoading: 24 });
    this.map.addInteraction(new KeyboardPan({ pixelDelta: 128 }));
    this.map.addInteraction(new KeyboardZoom());
    if (this.overlay) {
      this.overlay.layer.setZIndex(1000);
      this.map.addLayer(this.overlay.layer);
    }
    this.map.on("click", (event) => this.click(event));
    this.update(store.state);
  }

  /** Sets layers, opacities and looks as a state says. */
  update(state, before) {
    const wanted = state.layers.filter((l) => this.available.has(l.id));
    const ids = new Set(wanted.map((l) => l.id));
    for (const [id, holder] of this.holders) {
      holder.layer.setVisible(ids.has(id));
    }
    wanted.forEach(({ id, opacity, add }, index) => {
      const holder = this.holder(id);
      holder.layer.setZIndex(index);
      holder.layer.setOpacity(opacity);
      holder.blend = add ? "screen" : "normal";
      this.setBlend(holder);
      const key = lookKey(holder.about, state);
      if (holder.key === key) return;
      holder.paint = painter(holder.about, this.run.tiles, this.other?.tiles, this.look(holder, state));
      if (holder.key !== EVERY) holder.layer.getSource().setKey(key);
      holder.key = key;
    });
    const marks = ["marks", "palette", "selected", "filterVersion"];
    if (before && marks.some((name) => state[name] !== before[name])) this.overlay?.changed();
    if (before && state.blink !== before.blink) this.blink(state.blink);
  }

  holder(id) {
    let holder = this.holders.get(id);
    if (!holder) {
      holder = { about: this.available.get(id), key: EVERY, paint: null, blend: "normal" };
      holder.layer = makeLayer(holder.about, this.run.tiles, this.map.getView().getProjection(), holder);
      holder.layer.on("prerender", () => this.setBlend(holder));
      this.holders.set(id, holder);
      this.map.addLayer(holder.layer);
    }
    return holder;
  }

  setBlend(holder) {
    const element = this.map.getTargetElement()?.querySelector(`.${holder.layer.getClassName()}`);
    if (element) element.style.mixBlendMode = holder.blend;
  }

  look(holder, state) {
    return {
      stretch: holder.about.band && state.stretch[holder.about.band.name],
      palette: state.palette,
      colorOfSource: this.outlineColors(state),
    };
  }

  /** The colour of a source's outline: that of its class; white if it is selected. */
  outlineColors(state) {
    const { catalog, manifest } = this.run;
    const plain = colorNumber("#4cc9f0");
    if (!catalog) return () => plain;
    const colors = manifest.classes.map((c) => colorNumber(colorOf(c, state.palette)));
    const { shown, classOf, rowOf } = catalog;
    const selected = this.selected();
    return (label) => {
      if (label === selected) return colorNumber("#ffffff");
      const row = rowOf.get(label);
      if (row === undefined) return plain;
      return shown[row] ? colors[classOf[row]] ?? plain : 0;
    };
  }

  /** Shows the layers in turn. */
  blink(on) {
    clearInterval(this.timer);
    const layers = () =>
      this.store.state.layers.filter((l) => this.available.has(l.id) && l.id !== "outlines");
    if (!on) {
      for (const { id } of layers()) this.holder(id).layer.setVisible(true);
      return;
    }
    let turn = 0;
    const step = () => {
      const now = layers();
      turn += 1;
      now.forEach(({ id }, i) => this.holder(id).layer.setVisible(i === turn % now.length));
    };
    step();
    this.timer = setInterval(step, BLINK);
  }

  /** The number that the selected source has in this run, or null. */
  selected() {
    const { selected } = this.store.state;
    return this.run.catalog?.counterpart(this.first.catalog, selected) ?? null;
  }

  /** Gives the source of a run at a place of the screen: its row, or null. */
  sourceAt(pixel, { catalog } = this.run) {
    if (!catalog || !this.store.state.marks) return null;
    const [x, y] = this.map.getCoordinateFromPixel(pixel);
    return catalog.at(x, y, 8 * this.map.getView().getResolution());
  }

  click(event) {
    const row = this.sourceAt(event.pixel, this.first);
    this.store.set({ selected: row === null ? null : this.first.catalog.column("id")[row] });
  }

  /** Brings the whole field into view. */
  fit() {
    const [height, width] = this.run.manifest.shape;
    this.map.updateSize();
    this.map.getView().fit([-0.5, -0.5, width - 0.5, height - 0.5], { padding: [8, 8, 8, 8] });
  }
}

/** The probability of every class, and the signal to noise in every band, at a pixel. */
export async function valuesAt(run, x, y) {
  const { manifest, tiles } = run;
  const [column, row] = [Math.round(x), Math.round(y)];
  const [height, width] = manifest.shape;
  if (column < 0 || row < 0 || column >= width || row >= height) return null;
  const where = [0, Math.floor(row / manifest.tile), Math.floor(column / manifest.tile)];
  const at = 4 * ((manifest.tile - 1 - (row % manifest.tile)) * manifest.tile + (column % manifest.tile));
  const shares = await Promise.all(
    manifest.classes.map(async (c) => {
      const { set, channel } = findPlane(manifest, "share", c.name);
      const code = (await tiles.bytes(set, ...where))[at + channel];
      return { class: c, value: code ? (code - 1) / 254 : null };
    }),
  );
  return { column, row, shares };
}
