// The panel of plots, each of columns that the reader chooses.

import { useEffect, useRef } from "../vendor/vendor.js";
import { colorOf } from "./layers.js";
import { Histogram, Scatter } from "./plots.js";
import { html } from "./ui.js";

export function PlotsPanel({ app, state }) {
  const { plots } = state;
  const choose = (which) => (event) =>
    app.store.set({ plots: { ...plots, [which]: event.target.value } });
  const columns = app.plotColumns();
  const menu = (which, label) => html`
    <label class="inline">
      <span class="hidden">${label}</span>
      <select value=${plots[which]} onChange=${choose(which)} title=${label}>
        ${columns.map((column) => html`<option value=${column}>${column}</option>`)}
      </select>
    </label>
  `;
  return html`
    <section aria-label="Plots" class="panel plots">
      <p class="count">
        Draw a box to choose sources: <b>${app.run.catalog.nShown.toLocaleString("en")}</b> of
        ${" "}${app.run.catalog.n.toLocaleString("en")}
        <button
          class="small"
          disabled=${app.run.catalog.nShown === app.run.catalog.n}
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
    </section>
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
  const draw = async () => {
    const { catalog, manifest } = app.run;
    const names =
      kind === "histogram" ? [state.plots.histogram] : [state.plots.magnitude, state.plots[kind]];
    await catalog.load(...names);
    if (!element.current) return;
    plot.current ??= new (kind === "histogram" ? Histogram : Scatter)(element.current, LABELS[kind]);
    const look = {
      colors: manifest.classes.map((c) => colorOf(c, state.palette)),
      onRange: (ranges) => app.setRanges(ranges),
      selectedRow: catalog.rowOf.get(state.selected) ?? null,
    };
    if (kind === "histogram") {
      plot.current.draw(catalog, names[0], { ...look, range: state.ranges[names[0]] });
    } else {
      const flipY = names[1].includes("_mag_") && !names[1].includes(" - ");
      plot.current.draw(catalog, ...names, { ...look, ranges: state.ranges, flipY });
    }
  };
  const { plots, ranges, palette, selected, filterVersion, theme } = state;
  useEffect(() => void draw(), [plots, ranges, palette, selected, filterVersion, theme]);
  useEffect(() => {
    const watch = new ResizeObserver(() => void draw());
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  return html`<div class="plot ${kind}" ref=${element}></div>`;
}
