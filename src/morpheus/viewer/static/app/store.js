// The state of the page, and the same in the address, so that a view can be shared.

export class Store {
  constructor(state) {
    this.state = state;
    this.listeners = new Set();
  }

  set(change) {
    const before = this.state;
    const patch = typeof change === "function" ? change(before) : change;
    this.state = { ...before, ...patch };
    for (const listener of this.listeners) listener(this.state, before);
  }

  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** The state of a page that was just opened. */
export function initialState(manifest, compared) {
  const [height, width] = manifest.shape;
  const bands = manifest.bands.map((band) => band.name);
  return {
    view: { x: width / 2 - 0.5, y: height / 2 - 0.5, resolution: null },
    layers: manifest.sets.rgb ? [{ id: "rgb", opacity: 1, add: false }] : [{ id: "classes", opacity: 1, add: false }],
    stretch: Object.fromEntries(
      bands.map((name) => [name, { kind: "asinh", low: -2, high: 60, color: "#ffffff" }]),
    ),
    palette: "safe",
    theme: matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark",
    marks: manifest.catalog !== null,
    ranges: {}, // column: [low, high]
    classes: null, // names of those that are shown; null: all
    without: 0, // flags that hide a source
    filterVersion: 0,
    selected: null,
    plots: defaultPlots(manifest),
    compare: compared ? "side" : "off",
    sexagesimal: false,
    tab: "layers",
    blink: false,
  };
}

function defaultPlots(manifest) {
  if (!manifest.catalog) return {};
  const names = new Set(manifest.catalog.columns.map((column) => column.name));
  const bands = manifest.bands.map((band) => band.name.toLowerCase());
  const main = (manifest.facts.detection_band ?? bands[0] ?? "").toLowerCase();
  const magnitude = [`${main}_mag_kron`, `${main}_flux_kron`, "area"].find((name) => names.has(name));
  const measured = bands.filter((band) => names.has(`${band}_mag_kron`));
  const shortest = manifest.sets.rgb?.planes.at(-1).toLowerCase(); // wavelength
  const bluest = [shortest, ...measured].find((band) => band !== main && measured.includes(band));
  const color = bluest ? `${bluest}_mag_kron - ${main}_mag_kron` : "margin";
  const size = ["half_light_radius_arcsec", "half_light_radius", "area"].find((name) => names.has(name));
  return { histogram: magnitude, magnitude, color, size };
}

const number = (value) => String(Number(value.toPrecision(8)));

/** Writes what differs from a fresh page. */
export function toAddress(state, fresh) {
  const out = new URLSearchParams();
  const { view } = state;
  if (view.resolution !== null) {
    out.set("at", [view.x, view.y, view.resolution].map(number).join(","));
  }
  const layers = (list) => list.map((l) => [l.id, l.opacity, l.add ? 1 : 0].join("~")).join("|");
  if (layers(state.layers) !== layers(fresh.layers)) out.set("layers", layers(state.layers));
  for (const [band, s] of Object.entries(state.stretch)) {
    const text = [s.kind, s.low, s.high, s.color.slice(1)].join(",");
    const f = fresh.stretch[band];
    if (text !== [f.kind, f.low, f.high, f.color.slice(1)].join(",")) out.set(`stretch.${band}`, text);
  }
  for (const [column, [low, high]] of Object.entries(state.ranges)) {
    out.set(`range.${column}`, [low, high].map((v) => (Number.isFinite(v) ? number(v) : "")).join(","));
  }
  if (state.classes) out.set("classes", state.classes.join(","));
  if (state.without) out.set("without", state.without);
  if (state.selected !== null) out.set("source", state.selected);
  for (const name of ["palette", "theme", "compare", "tab"]) {
    if (state[name] !== fresh[name]) out.set(name, state[name]);
  }
  for (const name of ["marks", "sexagesimal"]) {
    if (state[name] !== fresh[name]) out.set(name, state[name] ? 1 : 0);
  }
  for (const [plot, column] of Object.entries(state.plots)) {
    if (column !== fresh.plots[plot]) out.set(`plot.${plot}`, column);
  }
  return out.toString();
}

/** Reads an address; what is not understood is left out. */
export function fromAddress(hash, fresh, known) {
  const state = { ...fresh, stretch: { ...fresh.stretch }, plots: { ...fresh.plots }, ranges: {} };
  const choice = {
    palette: ["safe", "paper"],
    theme: ["dark", "light"],
    compare: known.compared ? ["off", "side"] : ["off"],
    tab: ["layers", "sources", "plots"],
  };
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const [name, ...rest] = key.split(".");
    const what = rest.join(".");
    const numbers = value.split(",").map((part) => (part === "" ? NaN : Number(part)));
    if (key === "at" && numbers.length === 3 && numbers.every(Number.isFinite) && numbers[2] > 0) {
      state.view = { x: numbers[0], y: numbers[1], resolution: numbers[2] };
    } else if (key === "layers") {
      state.layers = value
        .split("|")
        .map((part) => part.split("~"))
        .filter(([id, opacity]) => known.layers.has(id) && opacity >= 0 && opacity <= 1)
        .map(([id, opacity, add]) => ({ id, opacity: Number(opacity), add: add === "1" }));
    } else if (name === "stretch" && Object.hasOwn(fresh.stretch, what)) {
      const [kind, low, high, color] = value.split(",");
      if (
        ["asinh", "log", "sqrt", "linear"].includes(kind) &&
        Number(high) > Number(low) &&
        /^[0-9a-f]{6}$/i.test(color)
      ) {
        state.stretch[what] = { kind, low: Number(low), high: Number(high), color: `#${color}` };
      }
    } else if (name === "range" && known.column(what) && numbers.length === 2) {
      const [low, high] = numbers;
      state.ranges[what] = [Number.isNaN(low) ? -Infinity : low, Number.isNaN(high) ? Infinity : high];
    } else if (key === "classes") {
      state.classes = value.split(",").filter((part) => known.classes.has(part));
    } else if (key === "without" && Number.isInteger(Number(value))) {
      state.without = Number(value);
    } else if (key === "source" && Number.isInteger(Number(value))) {
      state.selected = Number(value);
    } else if (Object.hasOwn(choice, key) && choice[key].includes(value)) {
      state[key] = value;
    } else if (["marks", "sexagesimal"].includes(key)) {
      state[key] = value === "1";
    } else if (name === "plot" && Object.hasOwn(fresh.plots, what) && known.column(value)) {
      state.plots[what] = value;
    }
  }
  return state;
}
