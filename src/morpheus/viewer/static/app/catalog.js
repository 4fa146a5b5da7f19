// The sources: columns when they are needed, which of them are shown, and who is near.

import { keep, load } from "./loading.js";

const CELL = 128; // pixels of a cell of the index of positions
const COUNTERPART = 4; // pixels between the centroids of a source in two runs, at most
const UNKNOWN = 255; // number of a class that the run does not have
const SIGMAS = 3; // semi-major axis of the ellipse of a source without a Kron aperture

export class Catalog {
  constructor(base, manifest) {
    this.base = base;
    this.about = manifest.catalog;
    this.n = this.about.n;
    this.classes = manifest.classes;
    this.numbers = new Map(this.about.columns.map((column, i) => [column.name, i]));
    this.values = new Map(); // name of a column: Float32Array, Float64Array or list
    this.columns = new Map(); // name of a column: promise that it is there
    this.rows = new Map();
    this.filters = 0; // so many were asked for
    this.shown = new Uint8Array(this.n).fill(1);
    this.nShown = this.n;
    this.counts = new Uint32Array(UNKNOWN + 1); // of shown sources, by the number of their class
  }

  /** Whether there is such a column of numbers, or difference of two. */
  has(name) {
    return name.split(" - ").every((part) => {
      const i = this.numbers.get(part);
      return i !== undefined && this.about.columns[i].type !== "text";
    });
  }

  aboutColumn(name) {
    return this.about.columns[this.numbers.get(name)];
  }

  /** How a column is called on an axis. */
  title(name) {
    const unit = this.aboutColumn(name.split(" - ")[0])?.unit;
    const color = name.match(/^(\w+)_mag_kron - (\w+)_mag_kron$/);
    const short = color ? `${color[1].toUpperCase()} − ${color[2].toUpperCase()}` : name;
    return unit ? `${short} [${unit}]` : short;
  }

  /** The names of the columns of numbers. */
  numbered() {
    return this.about.columns.map((column) => column.name).filter((name) => this.has(name));
  }

  /** Loads columns, or differences such as 'a - b'; each is asked for once. */
  async load(...names) {
    const fetched = (name) => async () => this.values.set(name, await this.fetch(name));
    await Promise.all(names.map((name) => keep(this.columns, name, fetched(name))));
  }

  async fetch(name) {
    const i = this.numbers.get(name);
    if (i === undefined) return this.difference(name);
    const { type } = this.about.columns[i];
    const reply = await load(`${this.base}columns/${i}.${type === "text" ? "json" : "bin"}`);
    if (type === "text") return reply.json();
    const buffer = await reply.arrayBuffer();
    return type === "f8" ? new Float64Array(buffer) : new Float32Array(buffer);
  }

  async difference(name) {
    if (!name.includes(" - ")) throw new Error(`The catalogue has no column ${name}.`);
    const parts = name.split(" - ");
    await this.load(...parts);
    const [a, b] = parts.map((part) => this.column(part));
    return a.map((value, i) => value - b[i]);
  }

  column(name) {
    return this.values.get(name);
  }

  /** Loads what the map itself needs, and indexes it. */
  async prepare() {
    const shape = ["kron_semi_major", "semi_major", "ellipticity", "position_angle", "area"];
    await this.load("id", "x", "y", "class", "flags", ...shape.filter((name) => this.has(name)));
    const index = new Map(this.classes.map((c, i) => [c.name, i]));
    this.classOf = Uint8Array.from(this.column("class"), (name) => index.get(name) ?? UNKNOWN);
    this.rowOf = new Map(Array.from(this.column("id"), (id, row) => [id, row]));
    this.cells = new Map();
    const [x, y] = [this.column("x"), this.column("y")];
    for (let row = 0; row < this.n; row++) {
      const key = `${Math.floor(x[row] / CELL)},${Math.floor(y[row] / CELL)}`;
      if (!this.cells.has(key)) this.cells.set(key, []);
      this.cells.get(key).push(row);
    }
  }

  /** Rows whose positions are in a box of pixels; all of them if it is large. */
  *inBox(left, bottom, right, top) {
    const [x, y] = [this.column("x"), this.column("y")];
    const cells = (right - left) * (top - bottom) / CELL ** 2;
    if (cells > this.cells.size) {
      for (let row = 0; row < this.n; row++) {
        if (x[row] >= left && x[row] <= right && y[row] >= bottom && y[row] <= top) yield row;
      }
      return;
    }
    for (let j = Math.floor(bottom / CELL); j <= Math.floor(top / CELL); j++) {
      for (let i = Math.floor(left / CELL); i <= Math.floor(right / CELL); i++) {
        for (const row of this.cells.get(`${i},${j}`) ?? []) {
          if (x[row] >= left && x[row] <= right && y[row] >= bottom && y[row] <= top) yield row;
        }
      }
    }
  }

  /**
   * The ellipse of a source, as catalog/regions.py has it: the semi-major axis in pixels, the ratio
   * of the axes, and the position angle in degrees.
   */
  ellipse(row) {
    const value = (name) => this.column(name)?.[row] ?? NaN;
    let [major, ratio] = [value("kron_semi_major"), 1 - value("ellipticity")];
    if (!Number.isFinite(major)) major = SIGMAS * value("semi_major");
    if (!Number.isFinite(major * ratio)) {
      [major, ratio] = [Math.sqrt(value("area") / Math.PI), 1]; // the circle of its area
    }
    return { major, ratio, angle: value("position_angle") || 0 };
  }

  /** The shown source at a pixel or within a distance of it; null if there is none. */
  at(px, py, distance) {
    const [x, y] = [this.column("x"), this.column("y")];
    const reach = Math.max(distance, 60);
    let best = null;
    let least = 1;
    for (const row of this.inBox(px - reach, py - reach, px + reach, py + reach)) {
      if (!this.shown[row]) continue;
      const size = Math.max(distance, 0.8 * this.ellipse(row).major || 0);
      const away = Math.hypot(x[row] - px, y[row] - py) / size;
      if (away < least) [best, least] = [row, away];
    }
    return best;
  }

  /** Number of the source that is a source of another run on the same pixels; null if none is. */
  counterpart(catalog, id) {
    const row = catalog?.rowOf.get(id);
    if (row === undefined) return null;
    if (catalog === this) return id;
    const [x, y] = [catalog.column("x")[row], catalog.column("y")[row]];
    let [best, least] = [null, COUNTERPART];
    for (const other of this.inBox(x - least, y - least, x + least, y + least)) {
      const away = Math.hypot(this.column("x")[other] - x, this.column("y")[other] - y);
      if (away <= least) [best, least] = [this.column("id")[other], away];
    }
    return best;
  }

  /** The nearest other sources: rows, by distance. */
  neighbours(row, n) {
    const [x, y] = [this.column("x"), this.column("y")];
    let found = [];
    for (let reach = CELL; reach < 64 * CELL && found.length < n; reach *= 2) {
      found = [...this.inBox(x[row] - reach, y[row] - reach, x[row] + reach, y[row] + reach)]
        .filter((other) => other !== row)
        .map((other) => [Math.hypot(x[other] - x[row], y[other] - y[row]), other])
        .filter(([away]) => away <= reach);
    }
    return found.sort((a, b) => a[0] - b[0]).slice(0, n).map(([, other]) => other);
  }

  /** All values of a source, by column; numbers as exact as the file has them. */
  async details(row) {
    const part = Math.floor(row / this.about.rows);
    const fetched = async () => (await load(`${this.base}rows/${part}.json`)).json();
    const values = (await keep(this.rows, part, fetched))[row % this.about.rows];
    return Object.fromEntries(this.about.columns.map((column, i) => [column.name, values[i]]));
  }

  /**
   * Finds out which sources are shown; what is undefined is in no range. Gives whether it did:
   * not if other filters were asked for meanwhile.
   */
  async filter({ ranges, classes, without }) {
    this.filters += 1;
    const turn = this.filters;
    const names = Object.keys(ranges).filter((name) => this.has(name)); // another run may lack one
    await this.load(...names);
    if (turn !== this.filters) return false;
    const shown = new Uint8Array(this.n).fill(1);
    for (const name of names) {
      const values = this.column(name);
      const [low, high] = ranges[name];
      for (let row = 0; row < this.n; row++) {
        if (!(values[row] >= low && values[row] <= high)) shown[row] = 0;
      }
    }
    if (classes) {
      const wanted = new Set(classes.map((name) => this.classes.findIndex((c) => c.name === name)));
      for (let row = 0; row < this.n; row++) if (!wanted.has(this.classOf[row])) shown[row] = 0;
    }
    if (without) {
      const flags = this.column("flags");
      for (let row = 0; row < this.n; row++) if (flags[row] & without) shown[row] = 0;
    }
    this.shown = shown;
    this.counts.fill(0);
    for (let row = 0; row < this.n; row++) this.counts[this.classOf[row]] += shown[row];
    this.nShown = this.counts.reduce((sum, one) => sum + one, 0);
    return true;
  }

  /** Smallest and largest value of a column. */
  extent(name) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of this.column(name)) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low <= high ? [low, high] : [0, 1];
  }

  /** The middle of a column's values, of many sources without the few outermost. */
  core(name) {
    const share = this.n > 2000 ? 0.002 : 0;
    const values = Float64Array.from(this.column(name)).filter(Number.isFinite).sort();
    if (!values.length) return [0, 1];
    const low = values[Math.floor(share * (values.length - 1))];
    const high = values[Math.ceil((1 - share) * (values.length - 1))];
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  }
}
