// One source: pictures, classes, measurements, neighbours.

import { useState } from "../vendor/vendor.js";
import { colorOf } from "./layers.js";
import { formatPosition, separation } from "./sky.js";
import { stamp, stampSide } from "./stamps.js";
import { Drawing, format, html, useLatest } from "./ui.js";

const NEIGHBOURS = 6;

export function SourcePanel({ app, state }) {
  const row = app.run.catalog.rowOf.get(state.selected);
  const title = row === undefined ? `No source ${state.selected}` : `Source ${state.selected}`;
  return html`
    <aside class="source" aria-label="Source">
      <${Head} ...${{ app, title }} />
      ${row !== undefined && html`<${Details} key=${row} ...${{ app, state, row }} />`}
    </aside>
  `;
}

function Details({ app, state, row }) {
  const { catalog, manifest } = app.run;
  const [details, setDetails] = useState(null);
  useLatest(() => catalog.details(row), setDetails, app.fail, []);
  if (!details) return null;
  return html`
    <${Position} ...${{ state, details }} />
    <${Classes} ...${{ state, details, manifest }} />
    <${Stamps} ...${{ app, state, details }} />
    <${Flags} ...${{ catalog, details }} />
    <${Neighbours} ...${{ app, state, row, details }} />
    <${Measurements} ...${{ catalog, details }} />
  `;
}

function Head({ app, title }) {
  return html`
    <header>
      <h2>${title}</h2>
      <span class="buttons">
        <button class="small" title="Previous shown source (p)" onClick=${() => app.step(-1)}>
          ‹<span class="hidden">Previous source</span>
        </button>
        <button class="small" title="Next shown source (n)" onClick=${() => app.step(1)}>
          ›<span class="hidden">Next source</span>
        </button>
        <button class="small" title="Centre the map on it (Enter)" onClick=${() => app.centre()}>
          Centre
        </button>
        <button class="small" title="Copy the address of this view" onClick=${() => app.share()}>
          Link
        </button>
        <button class="small" title="Close (Esc)" onClick=${() => app.close()}>
          ✕<span class="hidden">Close</span>
        </button>
      </span>
    </header>
  `;
}

function Position({ state, details }) {
  const { ra, dec, x, y } = details;
  return html`
    <p class="position">
      ${Number.isFinite(ra) && html`<span>${formatPosition(ra, dec, state.sexagesimal)}</span>`}
      <small>x ${format(x, 6)}, y ${format(y, 6)}</small>
    </p>
  `;
}

function Classes({ state, details, manifest }) {
  const classes = manifest.classes.filter((c) => c.source && `p_${c.name}` in details);
  const known = classes.some((c) => details[`p_${c.name}_err`] !== null);
  return html`
    <section class="bars">
      ${classes.map((c) => {
        const p = details[`p_${c.name}`];
        const error = details[`p_${c.name}_err`];
        const width = (value) => `${100 * Math.min(Math.max(value, 0), 1)}%`;
        return html`
          <span>${c.label}</span>
          <div class="bar" title=${`${format(p, 3)}${error === null ? "" : ` ± ${format(error, 2)}`}`}>
            <i style=${{ width: width(p), background: colorOf(c, state.palette) }}></i>
            ${error !== null &&
            html`<b style=${{ left: width(p - error), width: width(Math.min(p + error, 1) - Math.max(p - error, 0)) }}></b>`}
          </div>
          <span class="number">
            ${p === null ? "–" : p.toFixed(2)}${error !== null && html`<small> ±${error.toFixed(2)}</small>`}
          </span>
        `;
      })}
      <small class="note">
        Lead over the second ${format(details.margin, 2)}; agreement
        ${" "}${format(details.agreement, 2)} (1: sure, 0: all equal).
        ${!known && " This model sees each pixel once, so there is no scatter to give as an error."}
      </small>
    </section>
  `;
}

function Stamps({ app, state, details }) {
  const side = stampSide(details);
  const wanted = app.layers.filter(
    (layer) => layer.id === "rgb" || layer.id === "classes" || /^(band|share):/.test(layer.id),
  );
  return html`
    <section class="stamps">
      ${wanted.map(
        (layer) => html`<${Stamp} key=${layer.id} ...${{ app, state, layer, details, side }} />`,
      )}
      <small class="note">
        ${side} pixels a side${app.run.manifest.pixel_scale &&
        `, ${format(side * app.run.manifest.pixel_scale, 3)} arcsec`}
      </small>
    </section>
  `;
}

function Stamp({ app, state, layer, details, side }) {
  const { palette } = state;
  const stretch = layer.band && state.stretch[layer.band.name];
  const place = { x: details.x, y: details.y, side };
  const make = () => stamp(layer, app.run.tiles, place, { stretch, palette });
  const drawing = { make, inputs: [palette, stretch], fail: app.fail, label: layer.name };
  return html`<figure>
    <${Drawing} ...${drawing} />
    <figcaption>${layer.name}</figcaption>
  </figure>`;
}

function Flags({ catalog, details }) {
  const set = catalog.about.flags.filter((flag) => details.flags & flag.bit);
  if (!set.length) return html`<p class="note">No flags.</p>`;
  return html`<ul class="flags">
    ${set.map((flag) => html`<li><b>${flag.name.toLowerCase().replaceAll("_", " ")}</b>: ${flag.meaning}</li>`)}
  </ul>`;
}

function Neighbours({ app, state, row, details }) {
  const { catalog, manifest } = app.run;
  const [x, y, ids] = ["x", "y", "id"].map((name) => catalog.column(name));
  const distance = (other) => {
    if (!app.run.sky.known) return `${format(Math.hypot(x[other] - x[row], y[other] - y[row]), 3)} px`;
    const there = app.run.sky.world(x[other], y[other]);
    return `${format(separation(details.ra, details.dec, ...there), 3)}″`;
  };
  return html`
    <details open>
      <summary>Neighbours</summary>
      <div class="neighbours">
        ${catalog.neighbours(row, NEIGHBOURS).map((other) => {
          const c = catalog.classes[catalog.classOf[other]];
          return html`<button class="small" onClick=${() => app.select(ids[other], true)}>
            <i class="swatch" style=${{ background: c ? colorOf(c, state.palette) : "#888888" }}></i>
            ${ids[other]} <small>${distance(other)}</small>
          </button>`;
        })}
      </div>
    </details>
  `;
}

function Measurements({ catalog, details }) {
  const value = (column) => format(details[column.name], 6);
  return html`
    <details>
      <summary>All measurements</summary>
      <table>
        <tbody>
          ${catalog.about.columns.map(
            (column) => html`<tr title=${column.description}>
              <th scope="row">${column.name}</th>
              <td>${value(column)} <small>${column.unit ?? ""}</small></td>
            </tr>`,
          )}
        </tbody>
      </table>
    </details>
  `;
}
