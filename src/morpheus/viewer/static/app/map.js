// The map: layers of tiles under the sources, moved by pointer, touch and keys.

import {
  defaultInteractions,
  KeyboardPan,
  KeyboardZoom,
  Map as OlMap,
  Projection,
  View,
} from "../vendor/vendor.js";
import { SHARES } from "./coding.js";
import { colorOf, findPlane, listLayers, lookKey, makeLayer, painter } from "./layers.js";
import { Overlay } from "./overlay.js";
import { colorNumber } from "./render.js";

const CLOSEST = 1 / 16; // pixels of the image for one of the screen
const BLINK = 700; // ms
const EVERY = "\0"; // the look of a layer that was not drawn yet
const AGAIN = 4000; // ms until tiles that are missing are asked for again, then twice as long
const TRIES = 5; // of a tile; then it is missing until its layer is drawn anew

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
   * @param target the element that it fills
   * @param app has the runs, {manifest, tiles, catalog, sky}, the state and the view
   * @param index of the run; the first is compared with the second
   */
  constructor(target, app, index) {
    const { store, view } = app;
    const run = app.runs[index];
    const other = index === 0 ? app.other : null;
    Object.assign(this, { app, run, other, store });
    this.available = new Map(listLayers(run.manifest, other !== null).map((l) => [l.id, l]));
    this.holders = new Map();
    this.missing = new Map(); // tile: source
    this.tries = new WeakMap();
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
    if (store.state.blink) this.blink(true);
  }

  focus() {
    this.map.getTargetElement().focus();
  }

  /** Lets go of the view and of the page. */
  dispose() {
    clearInterval(this.timer);
    clearTimeout(this.again);
    this.map.setView(null);
    this.map.dispose();
  }

  /** Sets layers, opacities and looks as a state says. */
  update(state, before) {
    const wanted = state.layers.filter((l) => this.available.has(l.id));
    const ids = new Set(wanted.map((l) => l.id));
    for (const [id, holder] of this.holders) {
      if (!ids.has(id)) holder.layer.setVisible(false);
      else if (!state.blink || id === "outlines") holder.layer.setVisible(true);
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
      const source = holder.layer.getSource();
      source.on("tileloaderror", ({ tile }) => this.miss(tile, source));
      this.holders.set(id, holder);
      this.map.addLayer(holder.layer);
    }
    return holder;
  }

  /** Says that tiles are missing, once for all of them, and asks for them again a little later. */
  miss(tile, source) {
    const tries = (this.tries.get(tile) ?? 0) + 1;
    this.tries.set(tile, tries);
    if (!this.missing.size) {
      this.app.fail(tile.getError());
      this.again = setTimeout(() => {
        const tiles = [...this.missing];
        this.missing.clear();
        for (const [one, its] of tiles) {
          const current = one.key === its.getKey(); // of the look that the layer has now
          if (current && this.tries.get(one) < TRIES) one.load();
        }
      }, AGAIN * 2 ** (tries - 1));
    }
    this.missing.set(tile, source);
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
    return this.run.catalog?.counterpart(this.app.run.catalog, selected) ?? null;
  }

  /** The row of the source of a run at a place of the screen; null if none is seen there. */
  sourceAt(pixel, { catalog } = this.run) {
    const { marks, layers } = this.store.state;
    if (!catalog || !(marks || layers.some(({ id }) => id === "outlines"))) return null;
    const [x, y] = this.map.getCoordinateFromPixel(pixel);
    return catalog.at(x, y, 8 * this.map.getView().getResolution());
  }

  click(event) {
    const { run } = this.app; // the state has the numbers of its sources
    const row = this.sourceAt(event.pixel, run);
    this.app.select(row === null ? null : run.catalog.column("id")[row]);
  }

  /** Brings the whole field into view. */
  fit() {
    const [height, width] = this.run.manifest.shape;
    this.map.updateSize();
    this.map.getView().fit([-0.5, -0.5, width - 0.5, height - 0.5], { padding: [8, 8, 8, 8] });
  }
}

/** The probability of every class at a place: {class, value}; of none outside the field. */
export async function valuesAt({ manifest, tiles }, x, y) {
  const { tile, shape: [height, width] } = manifest;
  const [i, j] = [Math.round(x), Math.round(y)];
  if (i < 0 || j < 0 || i >= width || j >= height) return [];
  const where = [0, Math.floor(j / tile), Math.floor(i / tile)];
  const at = 4 * ((tile - 1 - (j % tile)) * tile + (i % tile)); // rows from the top down
  return Promise.all(
    manifest.classes.map(async (c) => {
      const { set, channel } = findPlane(manifest, "share", c.name);
      return { class: c, value: SHARES[(await tiles.bytes(set, ...where))[at + channel]] };
    }),
  );
}
