// The panel of sources: which are shown, and what to do with them.

import { useState } from "../vendor/vendor.js";
import { asRegions, asTable } from "./exporting.js";
import { colorOf } from "./layers.js";
import { download, format, html, useLatest } from "./ui.js";

const EVERYTHING = [-Infinity, Infinity];

export function SourcesPanel({ app, state }) {
  const { catalog, manifest } = app.run;
  const chosen = new Set(state.classes ?? manifest.classes.map((c) => c.name));
  const toggle = (name) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    const all = manifest.classes.every((c) => !c.source || next.has(c.name));
    app.store.set({ classes: all ? null : [...next] });
  };
  const filtered = catalog.nShown < catalog.n;
  const file = manifest.title.replace(/[^\w.-]+/g, "_") || "sources";
  const save = (suffix, type, write) =>
    app.attempt(async () => download(`${file}.${suffix}`, await write(catalog, manifest), type));
  return html`
    <p class="count" aria-live="polite">
      <b id="n-shown">${catalog.nShown.toLocaleString("en")}</b> of
      ${" "}${catalog.n.toLocaleString("en")} sources
    </p>
    <div class="row">
      <button disabled=${!filtered} onClick=${() => app.clearFilters()}>Show all</button>
      <button onClick=${() => save("csv", "text/csv", asTable)}>Save table</button>
      <button title="Regions for DS9" onClick=${() => save("reg", "text/plain", asRegions)}>
        Save regions
      </button>
    </div>
    <h3>Class</h3>
    ${manifest.classes
      .filter((c) => c.source)
      .map(
        (c) => html`
          <label class="inline line">
            <input type="checkbox" checked=${chosen.has(c.name)} onChange=${() => toggle(c.name)} />
            <i class="swatch" style=${{ background: colorOf(c, state.palette) }}></i>
            <span>${c.label}</span>
            <small>${catalog.counts[catalog.classes.indexOf(c)].toLocaleString("en")}</small>
          </label>
        `,
      )}
    <h3>Ranges</h3>
    ${rangeColumns(app, state).map(
      (column) => html`<${Range} key=${column} ...${{ app, state, column }} />`,
    )}
    <label class="inline line">
      Another
      <select
        value=""
        onChange=${(event) => event.target.value && app.addRange(event.target.value)}
      >
        <option value="">column…</option>
        ${catalog.numbered().map((column) => html`<option value=${column}>${column}</option>`)}
      </select>
    </label>
    <h3>Without flags</h3>
    ${catalog.about.flags.map(
      (flag) => html`
        <label class="inline line" title=${flag.meaning}>
          <input
            type="checkbox"
            checked=${Boolean(state.without & flag.bit)}
            onChange=${() => app.store.set({ without: state.without ^ flag.bit })}
          />
          <span>${flag.name.toLowerCase().replaceAll("_", " ")}</span>
        </label>
      `,
    )}
  `;
}

/** The columns that can be filtered at once: magnitude, signal to noise, confidence, and others. */
function rangeColumns({ run }, { extra, ranges }) {
  const band = run.manifest.facts.detection_band?.toLowerCase();
  const usual = [`${band}_mag_kron`, `${band}_snr`, "margin", "agreement"];
  const all = new Set([...usual, ...extra, ...Object.keys(ranges)]);
  return [...all].filter((name) => run.catalog.has(name));
}

function Range({ app, state, column }) {
  const { catalog } = app.run;
  const [low, high] = state.ranges[column] ?? EVERYTHING;
  const [[first, last], setExtent] = useState([NaN, NaN]);
  useLatest(() => catalog.load(column), () => setExtent(catalog.extent(column)), app.fail, []);
  const change = (which, text) => {
    const value = text === "" ? EVERYTHING[which] : Number(text);
    if (Number.isNaN(value)) return;
    const range = which ? [low, value] : [value, high];
    app.setRanges({ [column]: range.some(Number.isFinite) ? range : null });
  };
  const field = (which, value, limit) => html`
    <input
      type="number"
      step="any"
      aria-label=${`${column}, ${which ? "at most" : "at least"}`}
      placeholder=${format(limit, 3)}
      value=${Number.isFinite(value) ? Number(value.toPrecision(4)) : ""}
      onChange=${(event) => change(which, event.target.value)}
    />
  `;
  return html`
    <div class="range">
      <span title=${catalog.aboutColumn(column)?.description ?? ""}>${column}</span>
      ${field(0, low, first)} ${field(1, high, last)}
    </div>
  `;
}
