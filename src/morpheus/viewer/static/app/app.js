// What the page knows and what can be done with it: the runs, the state, the commands.

import { listLayers } from "./layers.js";
import { makeView } from "./map.js";
import { parsePosition } from "./sky.js";
import { fromAddress, initialState, Store, toAddress } from "./store.js";

const SHOWN = 6000; // ms that a message stays

export class App {
  constructor(runs) {
    this.runs = runs;
    [this.run] = runs;
    this.other = runs[1] ?? null;
    this.layers = listLayers(this.run.manifest, this.other !== null);
    this.fresh = initialState(this.run.manifest, this.other !== null);
    const catalog = this.run.catalog;
    this.known = {
      compared: this.other !== null,
      layers: new Set(this.layers.map((layer) => layer.id)),
      classes: new Set(this.run.manifest.classes.map((c) => c.name)),
      column: (name) => Boolean(catalog?.has(name)),
    };
    this.store = new Store({
      ...fromAddress(location.hash, this.fresh, this.known),
      filterVersion: 0, // counts what was chosen, as what is drawn depends on it
      extra: [], // columns that were added to the ranges
      message: null,
      help: false,
    });
    this.view = makeView(this.run.manifest);
    this.maps = [];
    this.store.subscribe((state, before) => this.follow(state, before));
  }

  /** Does what a change of the state asks for, beyond drawing panels. */
  follow(state, before) {
    for (const map of this.maps) map.update(state, before);
    const { ranges, classes, without } = state;
    if (ranges !== before.ranges || classes !== before.classes || without !== before.without) {
      this.filter();
    }
    this.remember();
  }

  /** Finds out, in all runs, which sources are shown. */
  async filter() {
    const { ranges, classes, without } = this.store.state;
    const work = ({ catalog }) => this.attempt(() => catalog?.filter({ ranges, classes, without }));
    const found = await Promise.all(this.runs.map(work));
    if (!found.includes(true)) return;
    this.store.set(({ filterVersion }) => ({ filterVersion: filterVersion + 1 }));
  }

  /** Takes the state from the address of the page, after it was changed by hand. */
  readAddress() {
    const state = fromAddress(location.hash, this.fresh, this.known);
    this.look(state.view);
    this.store.set(state);
  }

  /** Looks where a view of the state says, if it says anything. */
  look({ x, y, resolution }) {
    if (resolution === null) return;
    this.view.setCenter([x, y]);
    this.view.setResolution(resolution);
  }

  /** Brings the whole field into view. */
  fit() {
    this.maps[0].fit();
  }

  zoom(factor) {
    this.view.animate({ resolution: this.view.getResolution() / factor, duration: 200 });
  }

  goTo(x, y) {
    const resolution = Math.min(this.view.getResolution(), 1 / 4);
    this.view.animate({ center: [x, y], resolution, duration: 250 });
  }

  /** Writes the state into the address, at most a few times a second. */
  remember() {
    this.pending ??= setTimeout(() => {
      this.pending = undefined;
      history.replaceState(null, "", `#${toAddress(this.store.state, this.fresh)}`);
    }, 200);
  }

  /** The address of this view, now. */
  address() {
    return `${location.href.split("#")[0]}#${toAddress(this.store.state, this.fresh)}`;
  }

  async share() {
    const address = this.address();
    try {
      await navigator.clipboard.writeText(address);
      this.say("The address of this view is copied.");
    } catch {
      this.say(address);
    }
  }

  toggleLayer(id) {
    if (!this.known.layers.has(id)) return;
    this.store.set(({ layers }) => ({
      layers: layers.some((one) => one.id === id)
        ? layers.filter((one) => one.id !== id)
        : this.inserted(layers, { id, opacity: 1, add: false }),
    }));
  }

  /** New layers lie on top, but under outlines. */
  inserted(layers, layer) {
    const below = layer.id === "outlines" ? layers : layers.filter((one) => one.id !== "outlines");
    return [...below, layer, ...layers.filter((one) => !below.includes(one))];
  }

  raise(id) {
    this.store.set(({ layers }) => ({
      layers: [...layers.filter((one) => one.id !== id), layers.find((one) => one.id === id)],
    }));
  }

  toggleTheme() {
    this.store.set(({ theme }) => ({ theme: theme === "dark" ? "light" : "dark" }));
  }

  toggleMarks() {
    if (this.run.catalog) this.store.set(({ marks }) => ({ marks: !marks }));
  }

  toggleBlink() {
    const { layers, blink } = this.store.state;
    const pictures = layers.filter((one) => one.id !== "outlines");
    if (!blink && pictures.length < 2) {
      const second = pictures.some((one) => one.id === "classes") ? this.layers[0].id : "classes";
      if (!pictures.some((one) => one.id === second)) this.toggleLayer(second);
    }
    this.store.set({ blink: !blink });
  }

  // Sources

  select(id, centre = false) {
    this.store.set({ selected: id });
    if (centre) this.centre();
  }

  /** Closes the panel of a source; the map gets the focus that a button of the panel had. */
  close() {
    this.select(null);
    this.maps[0].focus();
  }

  centre() {
    const row = this.run.catalog?.rowOf.get(this.store.state.selected);
    if (row === undefined) return;
    this.goTo(...["x", "y"].map((name) => this.run.catalog.column(name)[row]));
  }

  /** Selects the next or previous shown source, by number. */
  step(direction) {
    const { catalog } = this.run;
    if (!catalog?.nShown) return;
    let row = catalog.rowOf.get(this.store.state.selected) ?? (direction > 0 ? -1 : 0);
    do row = (row + direction + catalog.n) % catalog.n;
    while (!catalog.shown[row]);
    this.select(catalog.column("id")[row], true);
  }

  /** Goes to what was typed: a number, a position on the sky, or 'x,y px'. */
  find(text) {
    const { catalog, sky } = this.run;
    this.store.set({ message: null }); // what was said of the last one
    const pixels = text.match(/^\s*([-\d.]+)[\s,]+([-\d.]+)\s*(?:px|pix|pixels?)\s*$/i);
    if (/^\s*#?\d+\s*$/.test(text)) {
      const id = Number(text.replace("#", ""));
      if (!catalog?.rowOf.has(id)) return this.say(`There is no source ${id}.`);
      return this.select(id, true);
    }
    const [height, width] = this.run.manifest.shape;
    const go = (x, y) =>
      x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5
        ? this.goTo(x, y)
        : this.say("That position is not in the field.");
    if (pixels) return go(Number(pixels[1]), Number(pixels[2]));
    const position = parsePosition(text);
    if (!position) {
      return this.say("Give a source's number, a position (53.12 -27.80, or 3:32:28.8 -27:48:00), or “x y px”.");
    }
    if (!sky.known) return this.say("This field has no sky coordinates; give “x y px”.");
    const place = sky.pixel(...position);
    return go(...(place ?? [NaN, NaN]));
  }

  /** Sets ranges of columns; null takes one away. */
  setRanges(changes) {
    this.store.set(({ ranges }) => ({
      ranges: Object.fromEntries(
        Object.entries({ ...ranges, ...changes }).filter(([, range]) => range),
      ),
    }));
  }

  addRange(column) {
    this.store.set(({ extra }) => ({ extra: [...extra, column] }));
  }

  clearFilters() {
    this.store.set({ ranges: {}, classes: null, without: 0 });
  }

  // Messages

  say(message) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.store.set({ message: null }), SHOWN);
    this.store.set({ message });
  }

  fail = (error) => this.say(`That did not work: ${error.message}`);

  /** Does what may fail, and says so if it does. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      return this.fail(error);
    }
  }
}
