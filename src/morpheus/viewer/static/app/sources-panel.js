// The panel of sources: which are shown, and what to do with them.

import { colorOf } from "./layers.js";
import { asRegions, asTable } from "./exporting.js";
import { download, format, html } from "./ui.js";

export function SourcesPanel({ app, state }) {
  const { catalog, manifest } = app.run;
  const counts = app.classCounts();
  const chosen = new Set(state.classes ?? manifest.classes.map((c) => c.name));
  const toggle = (name) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    const all = manifest.classes.every((c) => !c.source || next.has(c.name));
    app.store.set({ classes: all ? null : [...next] });
  };
  const filtered = catalog.nShown < catalog.n;
  const name = manifest.title.replace(/[^\w.-]+/g, "_") || "sources";
  return html`
    <section aria-label="Sources" class="panel">
      <p class="count" aria-live="polite">
        <b id="n-shown">${catalog.nShown.toLocaleString("en")}</b> of
        ${" "}${catalog.n.toLocaleString("en")} sources
      </p>
      <div class="row">
        <button disabled=${!filtered} onClick=${() => app.clearFilters()}>Show all</button>
        <button
          onClick=${async () => download(`${name}.csv`, await asTable(catalog), "text/csv")}
        >
          Save table
        </button>
        <button
          title="Regions for DS9"
          onClick=${async () =>
            download(`${name}.reg`, await asRegions(catalog, manifest), "text/plain")}
        >
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
              <small>${(counts.get(c.name) ?? 0).toLocaleString("en")}</small>
            </label>
          `,
        )}
      <h3>Ranges</h3>
      ${app.rangeColumns(state).map(
        (column) => html`<${Range} key=${column} ...${{ app, state, column }} />`,
      )}
      <label class="inline line">
        Another
        <select
          value=""
          onChange=${(event) => event.target.value && app.addRange(event.target.value)}
        >
          <option value="">column…</option>
          ${app.numberColumns().map((column) => html`<option value=${column}>${column}</option>`)}
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
    </section>
  `;
}

function Range({ app, state, column }) {
  const [low, high] = state.ranges[column] ?? [-Infinity, Infinity];
  const [first, last] = app.columnExtent(column);
  const change = (which, text) => {
    const value = text === "" ? (which ? Infinity : -Infinity) : Number(text);
    if (!Number.isNaN(value)) app.setRange(column, which ? [low, value] : [value, high]);
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
      <span title=${app.run.catalog.aboutColumn(column)?.description ?? ""}>${column}</span>
      ${field(0, low, first)} ${field(1, high, last)}
    </div>
  `;
}
