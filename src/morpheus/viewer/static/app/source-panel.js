// One source: pictures, classes, measurements, neighbours.

import { useEffect, useRef, useState } from "../vendor/vendor.js";
import { colorOf } from "./layers.js";
import { formatPosition, separation } from "./sky.js";
import { drawStamp, stampSide } from "./stamps.js";
import { format, html } from "./ui.js";

const NEIGHBOURS = 6;

export function SourcePanel({ app, state }) {
  const { catalog, manifest } = app.run;
  const row = catalog.rowOf.get(state.selected);
  const [details, setDetails] = useState(null);
  useEffect(() => {
    let current = true;
    setDetails(null);
    if (row !== undefined) {
      catalog.details(row).then(
        (found) => current && setDetails(found),
        (error) => app.fail(error),
      );
    }
    return () => (current = false);
  }, [row]);
  if (row === undefined) {
    return html`<aside class="source" aria-label="Source">
      <${Head} app=${app} title=${`No source ${state.selected}`} />
    </aside>`;
  }
  return html`
    <aside class="source" aria-label="Source">
      <${Head} app=${app} title=${`Source ${state.selected}`} />
      ${details &&
      html`
        <${Position} ...${{ app, state, details }} />
        <${Classes} ...${{ app, state, details, manifest }} />
        <${Stamps} ...${{ app, state, details }} />
        <${Flags} ...${{ catalog, details }} />
        <${Neighbours} ...${{ app, state, row, details }} />
        <${Measurements} ...${{ catalog, details }} />
      `}
    </aside>
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
        <button class="small" title="Close (Esc)" onClick=${() => app.store.set({ selected: null })}>
          ✕<span class="hidden">Close</span>
        </button>
      </span>
    </header>
  `;
}

function Position({ app, state, details }) {
  const { ra, dec, x, y } = details;
  return html`
    <p class="position">
      ${ra !== null && html`<span>${formatPosition(ra, dec, state.sexagesimal)}</span>`}
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
  const canvas = useRef(null);
  const stretch = layer.band && state.stretch[layer.band.name];
  useEffect(() => {
    const look = { stretch, palette: state.palette, colorOfSource: () => 0 };
    const place = { x: details.x, y: details.y, side };
    drawStamp(canvas.current, layer, app.run.tiles, place, look).catch((error) => app.fail(error));
  }, [details.id, state.palette, stretch]);
  return html`<figure>
    <canvas ref=${canvas} role="img" aria-label=${layer.name}></canvas>
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
