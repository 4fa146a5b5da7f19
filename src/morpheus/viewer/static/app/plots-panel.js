// The panel of plots, each of columns that the reader chooses.

import { useEffect, useRef, useState } from "../vendor/vendor.js";
import { colorOf } from "./layers.js";
import { Histogram, Scatter } from "./plots.js";
import { html, useLatest } from "./ui.js";

export function PlotsPanel({ app, state }) {
  const { plots } = state;
  const choose = (which) => (event) =>
    app.store.set({ plots: { ...plots, [which]: event.target.value } });
  const { catalog } = app.run;
  const columns = new Set([catalog.numbered(), app.fresh.plots, plots].flatMap(Object.values));
  const menu = (which, label) => html`
    <label class="inline">
      <span class="hidden">${label}</span>
      <select value=${plots[which]} onChange=${choose(which)} title=${label}>
        ${[...columns].map((column) => html`<option value=${column}>${column}</option>`)}
      </select>
    </label>
  `;
  return html`
    <p class="count">
      Draw boxes to choose sources. <b>${catalog.nShown.toLocaleString("en")}</b> of
      ${" "}${catalog.n.toLocaleString("en")}${" "}
      <button
        class="small"
        disabled=${catalog.nShown === catalog.n}
        onClick=${() => app.clearFilters()}
      >
        Show all
      </button>
    </p>
    <div class="row">${menu("histogram", "Column of the histogram")}</div>
    <${Chart} kind="histogram" ...${{ app, state }} />
    <div class="row">${menu("magnitude", "Along x")} ${menu("color", "Along y")}</div>
    <${Chart} kind="color" ...${{ app, state }} />
    <div class="row">${menu("size", "Along y")}</div>
    <${Chart} kind="size" ...${{ app, state }} />
  `;
}

const LABELS = {
  histogram: "Histogram of the sources",
  color: "Colour against magnitude",
  size: "Size against magnitude",
};

function Chart({ app, state, kind }) {
  const element = useRef(null);
  const plot = useRef(null);
  const [size, setSize] = useState("");
  useEffect(() => {
    const watch = new ResizeObserver(([{ contentRect: { width, height } }]) => setSize(`${width} ${height}`));
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  const { catalog, manifest } = app.run;
  const { plots, ranges, palette, selected, filterVersion, theme } = state;
  const names = kind === "histogram" ? [plots.histogram] : [plots.magnitude, plots[kind]];
  const draw = () => {
    plot.current ??= new (kind === "histogram" ? Histogram : Scatter)(element.current, LABELS[kind]);
    plot.current.draw(catalog, ...names, {
      colors: manifest.classes.map((c) => colorOf(c, palette)),
      onRange: (changes) => app.setRanges(changes),
      selectedRow: catalog.rowOf.get(selected) ?? null,
      flipY: names.at(-1).includes("_mag_") && !names.at(-1).includes(" - "),
      ranges,
    });
  };
  const inputs = [size, ...names, ranges, palette, selected, filterVersion, theme];
  useLatest(() => catalog.load(...names), draw, app.fail, inputs);
  return html`<div class="plot ${kind}" ref=${element}></div>`;
}
