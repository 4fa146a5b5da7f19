// The panel of layers: which, how opaque, how stretched.

import { colorOf } from "./layers.js";
import { changeColor, STRETCHES } from "./render.js";
import { html } from "./ui.js";

export function LayersPanel({ app, state }) {
  const groups = new Map();
  for (const layer of app.layers) {
    if (!groups.has(layer.group)) groups.set(layer.group, []);
    groups.get(layer.group).push(layer);
  }
  return html`
    <div class="row">
      <button
        class=${state.blink ? "on" : ""}
        aria-pressed=${state.blink}
        title="Show the layers that are switched on in turn (b)"
        onClick=${() => app.toggleBlink()}
      >
        Blink
      </button>
      <label class="inline">
        Colours
        <select
          value=${state.palette}
          onChange=${(event) => app.store.set({ palette: event.target.value })}
        >
          <option value="safe">Colour-blind safe</option>
          <option value="paper">As in the paper</option>
        </select>
      </label>
    </div>
    ${[...groups].map(
      ([group, layers]) => html`
        <h3>${group}</h3>
        ${layers.map((layer) => html`<${LayerRow} key=${layer.id} ...${{ app, state, layer }} />`)}
        ${group === "Sources" && app.run.catalog && html`<${MarksRow} ...${{ app, state }} />`}
      `,
    )}
  `;
}

function LayerRow({ app, state, layer }) {
  const on = state.layers.find((one) => one.id === layer.id);
  const change = (patch) =>
    app.store.set(({ layers }) => ({
      layers: layers.map((one) => (one.id === layer.id ? { ...one, ...patch } : one)),
    }));
  const swatch = layer.class && colorOf(layer.class, state.palette);
  return html`
    <div class="layer ${on ? "on" : ""}">
      <label class="inline">
        <input type="checkbox" checked=${Boolean(on)} onChange=${() => app.toggleLayer(layer.id)} />
        ${swatch && html`<i class="swatch" style=${{ background: swatch }}></i>`}
        <span>${layer.name}</span>
        ${layer.detail && html`<small>${layer.detail}</small>`}
      </label>
      ${on &&
      html`<div class="fine">
        <label class="inline">
          <span class="hidden">Opacity of ${layer.name}</span>
          <input
            type="range"
            min="0"
            max="1"
            step="0.05"
            value=${on.opacity}
            title="Opacity"
            onInput=${(event) => change({ opacity: Number(event.target.value) })}
          />
        </label>
        <label class="inline" title="Add its light to that of the layers below">
          <input
            type="checkbox"
            checked=${on.add}
            onChange=${() => change({ add: !on.add })}
          />
          add
        </label>
        <button
          class="small"
          title="Move to the top"
          aria-label="Move ${layer.name} to the top"
          onClick=${() => app.raise(layer.id)}
        >
          ▲
        </button>
      </div>`}
      ${on && layer.band && html`<${Stretch} ...${{ app, state, layer }} />`}
      ${on && layer.id.startsWith("change:") && html`<${ChangeScale} />`}
    </div>
  `;
}

const CHANGES = Array.from({ length: 41 }, (_, i) => i / 20 - 1);
const CHANGE_COLORS = CHANGES.map((change) => `rgb(${changeColor(change).map(Math.round)})`);

function ChangeScale() {
  const colors = `linear-gradient(to right, ${CHANGE_COLORS})`;
  return html`
    <div class="change">
      <i style=${{ background: colors }}></i>
      <span>−1</span><span>change of the probability</span><span>+1</span>
    </div>
  `;
}

function Stretch({ app, state, layer }) {
  const { name, unit, noise, level } = layer.band;
  const stretch = state.stretch[name];
  const change = (patch) => {
    const { stretch: all } = app.store.state;
    const next = { ...all[name], ...patch };
    const good = next.high > next.low;
    if (good) app.store.set({ stretch: { ...all, [name]: next } });
    else app.say("“From” must be a number below “to”; the stretch is as before.");
    return good;
  };
  const limit = (which, label) => html`
    <label>
      ${label}
      <input
        type="number"
        step="1"
        value=${stretch[which]}
        title=${`${(level + stretch[which] * noise).toPrecision(3)} ${unit ?? ""}`}
        onChange=${(event) => {
          const text = event.target.value;
          if (!change({ [which]: text === "" ? NaN : Number(text) })) event.target.value = stretch[which];
        }}
      />
    </label>
  `;
  // The slider is logarithmic: limits are looked for over decades.
  const brightest = Math.log10(Math.max(stretch.high, 1));
  return html`
    <div class="stretch">
      <label>
        Stretch
        <select value=${stretch.kind} onChange=${(event) => change({ kind: event.target.value })}>
          ${Object.keys(STRETCHES).map((kind) => html`<option value=${kind}>${kind}</option>`)}
        </select>
      </label>
      ${limit("low", "From (σ)")} ${limit("high", "to (σ)")}
      <label>
        Colour
        <input
          type="color"
          value=${stretch.color}
          onInput=${(event) => change({ color: event.target.value })}
        />
      </label>
      <label class="wide">
        <span class="hidden">Brightest of ${name}</span>
        <input
          type="range"
          min="0"
          max="5"
          step="0.05"
          value=${brightest}
          title="What is white, from 1 to 100,000 times the noise"
          onInput=${(event) => {
            const high = Number((10 ** event.target.value).toPrecision(3));
            if (!change({ high })) event.target.value = brightest;
          }}
        />
      </label>
    </div>
  `;
}

function MarksRow({ app, state }) {
  return html`
    <div class="layer ${state.marks ? "on" : ""}">
      <label class="inline">
        <input
          type="checkbox"
          checked=${state.marks}
          onChange=${() => app.toggleMarks()}
        />
        <span>Catalogue</span>
        <small>${app.run.catalog.n.toLocaleString("en")} sources</small>
      </label>
    </div>
  `;
}
