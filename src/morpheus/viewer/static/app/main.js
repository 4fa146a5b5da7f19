// The page of the map: loads the runs, keeps the state, and draws panels around the map.

import { render, useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { Catalog } from "./catalog.js";
import { listLayers } from "./layers.js";
import { LayersPanel } from "./layers-panel.js";
import { FieldMap, makeView, valuesAt } from "./map.js";
import { PlotsPanel } from "./plots-panel.js";
import { formatPosition, parsePosition, Sky } from "./sky.js";
import { SourcePanel } from "./source-panel.js";
import { SourcesPanel } from "./sources-panel.js";
import { fromAddress, initialState, Store, toAddress } from "./store.js";
import { Tiles } from "./tiles.js";
import { format, html } from "./ui.js";

const KEYS = [
  ["Arrows, + and −", "move and zoom"],
  ["f", "the whole field"],
  ["g", "go to a position or a source"],
  ["n, p", "next and previous shown source"],
  ["Enter", "centre on the source"],
  ["b", "blink: show the layers in turn"],
  ["c", "classes on or off"],
  ["o", "outlines on or off"],
  ["m", "catalogue on or off"],
  ["t", "dark or light"],
  ["?", "this list"],
  ["Esc", "close"],
];

class App {
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
    this.store = new Store(fromAddress(location.hash, this.fresh, this.known));
    this.view = makeView(this.run.manifest);
    this.extra = []; // columns that were added to the ranges
    this.store.subscribe((state, before) => this.follow(state, before));
  }

  /** Does what a change of the state asks for, beyond drawing panels. */
  follow(state, before) {
    for (const map of this.maps ?? []) map.update(state, before);
    const { ranges, classes, without } = state;
    if (ranges !== before.ranges || classes !== before.classes || without !== before.without) {
      this.filter();
    }
    this.remember();
  }

  async filter() {
    if (!this.run.catalog) return;
    const filters = () => {
      const { ranges, classes, without } = this.store.state;
      return { ranges, classes, without };
    };
    try {
      for (const run of this.runs) await run.catalog?.filter(filters());
    } catch (error) {
      this.fail(error);
    }
    this.store.set(({ filterVersion }) => ({ filterVersion: filterVersion + 1 }));
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

  centre() {
    const row = this.run.catalog?.rowOf.get(this.store.state.selected);
    if (row === undefined) return;
    const { column } = { column: (name) => this.run.catalog.column(name)[row] };
    this.goTo(column("x"), column("y"));
  }

  goTo(x, y) {
    const resolution = Math.min(this.view.getResolution(), 1 / 4);
    this.view.animate({ center: [x, y], resolution, duration: 250 });
  }

  /** Selects the next or previous shown source, by number. */
  step(direction) {
    const { catalog } = this.run;
    if (!catalog || !catalog.nShown) return;
    let row = catalog.rowOf.get(this.store.state.selected) ?? (direction > 0 ? -1 : 0);
    do row = (row + direction + catalog.n) % catalog.n;
    while (!catalog.shown[row]);
    this.select(catalog.column("id")[row], true);
  }

  /** Goes to what was typed: a number, a position on the sky, or 'x,y px'. */
  find(text) {
    const { catalog, sky } = this.run;
    const pixels = text.match(/^\s*([-\d.]+)[\s,]+([-\d.]+)\s*(?:px|pix|pixels?)\s*$/i);
    if (/^\s*#?\d+\s*$/.test(text)) {
      const id = Number(text.replace("#", ""));
      if (!catalog?.rowOf.has(id)) return this.say(`There is no source ${id}.`);
      return this.select(id, true);
    }
    if (pixels) return this.goTo(Number(pixels[1]), Number(pixels[2]));
    const position = parsePosition(text);
    if (!position) {
      return this.say("Give a source's number, a position (53.12 -27.80, or 3:32:28.8 -27:48:00), or “x y px”.");
    }
    if (!sky.known) return this.say("This field has no sky coordinates; give “x y px”.");
    const place = sky.pixel(...position);
    return place ? this.goTo(...place) : this.say("That position is not in the field.");
  }

  classCounts() {
    const { catalog } = this.run;
    const counts = new Map();
    for (let row = 0; row < catalog.n; row++) {
      if (!catalog.shown[row]) continue;
      const name = catalog.classes[catalog.classOf[row]]?.name;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  numberColumns() {
    return this.run.catalog.about.columns.filter((c) => c.type !== "text").map((c) => c.name);
  }

  plotColumns() {
    return [...new Set([...this.numberColumns(), ...Object.values(this.fresh.plots), ...Object.values(this.store.state.plots)])];
  }

  /** The columns that can be filtered at once: magnitude, signal to noise, confidence, and others. */
  rangeColumns(state) {
    const band = this.run.manifest.facts.detection_band?.toLowerCase();
    const usual = [`${band}_mag_kron`, `${band}_snr`, "margin", "agreement"];
    const all = [...usual, ...this.extra, ...Object.keys(state.ranges)];
    return [...new Set(all)].filter((name) => this.run.catalog.has(name));
  }

  addRange(column) {
    this.extra.push(column);
    this.run.catalog.load(column).then(() => this.redraw(), (error) => this.fail(error));
  }

  columnExtent(name) {
    const { catalog } = this.run;
    if (catalog.column(name)) return catalog.extent(name);
    catalog.load(name).then(() => this.redraw(), (error) => this.fail(error));
    return [NaN, NaN];
  }

  setRange(column, [low, high]) {
    this.setRanges({ [column]: low === -Infinity && high === Infinity ? null : [low, high] });
  }

  /** Sets ranges of columns; null takes one away. */
  setRanges(changes) {
    this.store.set(({ ranges }) => ({
      ranges: Object.fromEntries(
        Object.entries({ ...ranges, ...changes }).filter(([, range]) => range),
      ),
    }));
  }

  clearFilters() {
    this.store.set({ ranges: {}, classes: null, without: 0 });
  }

  // Messages

  say(text) {
    this.message = text;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.message = null;
      this.redraw();
    }, 6000);
    this.redraw();
  }

  fail(error) {
    this.say(`That did not work: ${error.message}`);
  }

  redraw() {
    this.store.set({});
  }

  key(event) {
    if (event.target.matches("input:not([type=checkbox]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const { store } = this;
    const actions = {
      f: () => this.maps[0].fit(),
      g: () => document.querySelector("#find").focus(),
      n: () => this.step(1),
      p: () => this.step(-1),
      Enter: () => event.target.tagName !== "BUTTON" && this.centre(),
      b: () => this.toggleBlink(),
      c: () => this.toggleLayer("classes"),
      o: () => this.known.layers.has("outlines") && this.toggleLayer("outlines"),
      m: () => this.run.catalog && store.set(({ marks }) => ({ marks: !marks })),
      t: () => store.set(({ theme }) => ({ theme: theme === "dark" ? "light" : "dark" })),
      "?": () => store.set(({ help }) => ({ help: !help })),
      Escape: () => store.set(({ help }) => (help ? { help: false } : { selected: null })),
    };
    const action = actions[event.key];
    if (!action) return;
    if (event.key !== "Enter") event.preventDefault();
    action();
  }
}

function useStore(store) {
  const [state, setState] = useState(store.state);
  useEffect(() => store.subscribe(setState), [store]);
  return state;
}

function Page({ app }) {
  const state = useStore(app.store);
  const { catalog, manifest } = app.run;
  useEffect(() => {
    document.documentElement.dataset.theme = state.theme;
  }, [state.theme]);
  useLayoutEffect(() => {
    const press = (event) => app.key(event);
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const tabs = [["layers", "Layers"], ...(catalog ? [["sources", "Sources"], ["plots", "Plots"]] : [])];
  return html`
    <div class="page ${state.selected !== null && catalog ? "with-source" : ""}">
      <header class="top">
        <h1><img src="icon.svg" alt="" width="22" height="22" /> ${manifest.title}</h1>
        <form
          role="search"
          onSubmit=${(event) => {
            event.preventDefault();
            app.find(event.target.elements.find.value);
          }}
        >
          <label class="hidden" for="find">Go to a position or a source</label>
          <input id="find" name="find" placeholder="RA Dec, or a source’s number" autocomplete="off" />
        </form>
        <span class="buttons">
          ${app.other &&
          html`<button
            aria-pressed=${state.compare === "side"}
            class=${state.compare === "side" ? "on" : ""}
            title="Both runs side by side"
            onClick=${() =>
              app.store.set({ compare: state.compare === "side" ? "off" : "side" })}
          >
            Side by side
          </button>`}
          <button title="Copy the address of this view" onClick=${() => app.share()}>Share</button>
          <button
            title="Dark or light (t)"
            aria-label="Dark or light"
            onClick=${() =>
              app.store.set({ theme: state.theme === "dark" ? "light" : "dark" })}
          >
            ${state.theme === "dark" ? "☀" : "☾"}
          </button>
          <button title="Keys (?)" aria-label="Keys" onClick=${() => app.store.set({ help: !state.help })}>
            ?
          </button>
        </span>
      </header>
      <nav class="side">
        <div class="tabs" role="tablist">
          ${tabs.map(
            ([id, name]) => html`<button
              role="tab"
              aria-selected=${state.tab === id}
              class=${state.tab === id ? "on" : ""}
              onClick=${() => app.store.set({ tab: id })}
            >
              ${name}
            </button>`,
          )}
        </div>
        ${(state.tab === "layers" || !catalog) && html`<${LayersPanel} ...${{ app, state }} />`}
        ${state.tab === "sources" && catalog && html`<${SourcesPanel} ...${{ app, state }} />`}
        ${state.tab === "plots" && catalog && html`<${PlotsPanel} ...${{ app, state }} />`}
      </nav>
      <main class="maps ${state.compare === "side" ? "two" : ""}">
        <${MapPane} ...${{ app, state, index: 0 }} />
        ${app.other && state.compare === "side" && html`<${MapPane} ...${{ app, state, index: 1 }} />`}
      </main>
      ${catalog && state.selected !== null && html`<${SourcePanel} ...${{ app, state }} />`}
      ${app.message && html`<div class="message" role="status">${app.message}</div>`}
      ${state.help && html`<${Help} app=${app} />`}
    </div>
  `;
}

/** A map with what stands on it: coordinates, values, scale and directions. */
function MapPane({ app, state, index }) {
  const element = useRef(null);
  const status = useRef(null);
  const frame = useRef(null);
  const run = app.runs[index];
  useEffect(() => {
    const other = index === 0 ? app.other : null;
    const map = new FieldMap(element.current, run, other, app.run, app.view, app.store);
    app.maps = app.maps ?? [];
    app.maps[index] = map;
    if (index === 0) {
      const { x, y, resolution } = app.store.state.view;
      if (resolution === null) map.fit();
      else {
        app.view.setCenter([x, y]);
        app.view.setResolution(resolution);
      }
    }
    const moved = () => {
      drawFrame(frame.current, run, app.view);
      const [x, y] = app.view.getCenter();
      if (index === 0) app.store.set({ view: { x, y, resolution: app.view.getResolution() } });
    };
    map.map.on("moveend", moved);
    map.map.once("rendercomplete", () => performance.mark("first view"));
    app.view.on("change:resolution", () => drawFrame(frame.current, run, app.view));
    map.map.on("pointermove", (event) => {
      if (!event.dragging) tell(status.current, app, run, map, event);
    });
    map.map.getViewport().addEventListener("pointerleave", () => (status.current.textContent = ""));
    return () => {
      map.blink(false);
      map.map.setTarget(null);
      app.maps = app.maps.filter((one) => one !== map);
    };
  }, []);
  return html`
    <div class="pane">
      <div class="map" ref=${element} tabindex="0" role="application" aria-label="Map of ${run.manifest.title}"></div>
      ${app.other && html`<div class="run">${run.manifest.title}</div>`}
      <div class="frame" ref=${frame}>
        <div class="zoom">
          <button aria-label="Zoom in" onClick=${() => app.view.animate({ resolution: app.view.getResolution() / 2, duration: 200 })}>+</button>
          <button aria-label="Zoom out" onClick=${() => app.view.animate({ resolution: app.view.getResolution() * 2, duration: 200 })}>−</button>
          <button aria-label="The whole field" title="The whole field (f)" onClick=${() => app.maps[0].fit()}>⤢</button>
        </div>
        <svg class="compass" viewBox="-30 -30 60 60" aria-hidden="true"></svg>
        <div class="scale" aria-hidden="true"><i></i><span></span></div>
      </div>
      <button
        class="status"
        title="Sexagesimal or degrees"
        onClick=${() => app.store.set({ sexagesimal: !state.sexagesimal })}
      >
        <span ref=${status}></span>
      </button>
    </div>
  `;
}

/** Draws scale bar and directions for what is in view. */
function drawFrame(element, run, view) {
  if (!element) return;
  const { pixel_scale: scale } = run.manifest;
  const perPixel = view.getResolution() * (scale ?? 1);
  const units = scale ? [[3600, "°"], [60, "′"], [1, "″"]] : [[1, " px"]];
  const longest = 130 * perPixel;
  const [size, unit] = units.find(([one]) => longest >= one) ?? units.at(-1);
  const power = 10 ** Math.floor(Math.log10(longest / size));
  const length = [5, 2, 1].map((n) => n * power).find((n) => n <= longest / size) ?? power;
  element.querySelector(".scale i").style.width = `${(length * size) / perPixel}px`;
  element.querySelector(".scale span").textContent = `${Number(length.toPrecision(2))}${unit}`;
  const compass = element.querySelector(".compass");
  compass.replaceChildren();
  if (!run.sky.known) return;
  const [height, width] = run.manifest.shape;
  const [cx, cy] = view.getCenter();
  const inside = (value, size) => Math.min(Math.max(value, 0), size - 1);
  const directions = run.sky.compass(inside(cx, width), inside(cy, height));
  const make = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return compass.appendChild(made);
  };
  directions.forEach(([x, y], i) => {
    make("line", { x1: 0, y1: 0, x2: 17 * x, y2: -17 * y });
    make("text", { x: 24 * x, y: -24 * y }).textContent = "NE"[i];
  });
}

/** Says where the pointer is and what is there. */
async function tell(element, app, run, map, event) {
  const [x, y] = event.coordinate;
  const { state } = app.store;
  const position = run.sky.known ? `${formatPosition(...run.sky.world(x, y), state.sexagesimal)}   ` : "";
  const place = `${position}x ${x.toFixed(1)}, y ${y.toFixed(1)}`;
  const row = map.sourceAt(event.pixel);
  map.map.getViewport().style.cursor = row === null ? "crosshair" : "pointer";
  const source = row === null ? "" : `   #${run.catalog.column("id")[row]}`;
  element.textContent = place + source;
  const turn = (app.turn = (app.turn ?? 0) + 1);
  if (app.view.getResolution() > 2) return; // values of single pixels: only where they are seen
  const values = await valuesAt(run, x, y).catch(() => null);
  if (turn !== app.turn || !values) return;
  const text = values.shares.map(({ class: c, value }) => `${c.label.split(" /")[0]} ${value === null ? "–" : format(value, 2)}`);
  element.textContent = `${place}${source}   ${text.join("  ")}`;
}

function Help({ app }) {
  const { facts } = app.run.manifest;
  return html`
    <div class="help" role="dialog" aria-label="Keys">
      <h2>Keys</h2>
      <dl>${KEYS.map(([key, what]) => html`<dt>${key}</dt><dd>${what}</dd>`)}</dl>
      <p class="note">
        Made with ${facts.model ?? "an unknown model"}${facts.started && `, ${facts.started} UTC`}.
        Values in tiles are rounded: bands to 0.4%, or 0.004 of the noise, probabilities to 0.002;
        the catalogue’s are as in the file. Colours of the paper: Hausen & Robertson (2020).
      </p>
      <button onClick=${() => app.store.set({ help: false })}>Close</button>
    </div>
  `;
}

async function open(number) {
  const base = `runs/${number}/`;
  const reply = await fetch(`${base}manifest.json`);
  if (!reply.ok) throw new Error(`${base}: ${reply.status} ${await reply.text()}`);
  const manifest = await reply.json();
  const catalog = manifest.catalog && new Catalog(base, manifest);
  return { manifest, catalog, sky: new Sky(manifest), tiles: new Tiles(base, manifest) };
}

async function start() {
  const place = document.querySelector("#app");
  try {
    const titles = await (await fetch("runs.json")).json();
    const runs = await Promise.all(titles.map((_, number) => open(number)));
    document.title = `${runs.map((run) => run.manifest.title).join(" / ")} – Morpheus`;
    await Promise.all(runs.map((run) => run.catalog?.prepare()));
    const app = new App(runs);
    await app.filter();
    render(html`<${Page} app=${app} />`, place);
    place.querySelector(".loading")?.remove();
    window.morpheus = app; // for those who want to look inside
    addEventListener("hashchange", () => {
      const state = fromAddress(location.hash, app.fresh, app.known);
      if (state.view.resolution !== null) {
        app.view.setCenter([state.view.x, state.view.y]);
        app.view.setResolution(state.view.resolution);
      }
      app.store.set(state);
    });
  } catch (error) {
    place.textContent = `The field cannot be shown: ${error.message}`;
    throw error;
  }
}

start();
