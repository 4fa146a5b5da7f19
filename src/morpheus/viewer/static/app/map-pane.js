// A map with what stands on it: coordinates, values, scale and directions.

import { useEffect, useRef } from "../vendor/vendor.js";
import { FieldMap, valuesAt } from "./map.js";
import { formatPosition } from "./sky.js";
import { format, html } from "./ui.js";

const SINGLE = 2; // pixels of the image for one of the screen, up to which single ones are seen

export function MapPane({ app, state, index }) {
  const [pane, element, status, frame] = [useRef(null), useRef(null), useRef(null), useRef(null)];
  const run = app.runs[index];
  useEffect(() => {
    const map = new FieldMap(element.current, app, index);
    app.maps[index] = map;
    if (index === 0) {
      map.fit();
      app.look(app.store.state.view);
    }
    const draw = () => drawFrame(frame.current, run, app.view);
    map.map.on("moveend", () => {
      draw();
      const [x, y] = app.view.getCenter();
      if (index === 0) app.store.set({ view: { x, y, resolution: app.view.getResolution() } });
    });
    map.map.once("rendercomplete", () => performance.mark("first view"));
    app.view.on("change:resolution", draw);
    const forget = watchPointer(pane.current, status.current, app, map);
    return () => {
      forget();
      app.view.un("change:resolution", draw); // the view outlives the map
      map.dispose();
      app.maps = app.maps.filter((one) => one !== map);
    };
  }, []);
  return html`
    <div class="pane" ref=${pane}>
      <div class="map" ref=${element} tabindex="0" role="application" aria-label="Map of ${run.manifest.title}"></div>
      ${app.other && html`<div class="run">${run.manifest.title}</div>`}
      <div class="frame" ref=${frame}>
        <div class="zoom">
          <button aria-label="Zoom in" onClick=${() => app.zoom(2)}>+</button>
          <button aria-label="Zoom out" onClick=${() => app.zoom(1 / 2)}>−</button>
          <button aria-label="The whole field" title="The whole field (f)" onClick=${() => app.fit()}>⤢</button>
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

/** Says where the pointer is and what is there, until it leaves the pane; gives what ends that. */
function watchPointer(pane, status, app, map) {
  const { run } = map;
  let turn = 0; // of the pointer: values that come for an earlier one are dropped
  map.map.on("pointermove", async (event) => {
    if (event.dragging) return;
    turn += 1;
    const mine = turn;
    const [x, y] = event.coordinate;
    const position = run.sky.known
      ? `${formatPosition(...run.sky.world(x, y), app.store.state.sexagesimal)}   `
      : "";
    const row = map.sourceAt(event.pixel);
    map.map.getViewport().style.cursor = row === null ? "crosshair" : "pointer";
    const source = row === null ? "" : `   #${run.catalog.column("id")[row]}`;
    const place = `${position}x ${x.toFixed(1)}, y ${y.toFixed(1)}${source}`;
    status.textContent = place;
    if (app.view.getResolution() > SINGLE) return;
    const values = await valuesAt(run, x, y).catch(() => []); // the map itself says what is missing
    if (mine !== turn || !values.length) return;
    const words = values.map(({ class: c, value }) => `${c.label.split(" /")[0]} ${format(value, 2)}`);
    status.textContent = `${place}   ${words.join("  ")}`;
  });
  const leave = () => {
    turn += 1;
    status.textContent = "";
  };
  pane.addEventListener("pointerleave", leave);
  return () => {
    turn += 1;
    pane.removeEventListener("pointerleave", leave);
  };
}
