// The page: what stands at the top, the panels, and the maps between them.

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { KEYS, press } from "./keys.js";
import { LayersPanel } from "./layers-panel.js";
import { MapPane } from "./map-pane.js";
import { PlotsPanel } from "./plots-panel.js";
import { SourcePanel } from "./source-panel.js";
import { SourcesPanel } from "./sources-panel.js";
import { html, Messages } from "./ui.js";

export function Page({ app }) {
  const [state, setState] = useState(app.store.state);
  useEffect(() => app.store.subscribe(setState), []);
  useEffect(() => {
    document.documentElement.dataset.theme = state.theme;
  }, [state.theme]);
  useLayoutEffect(() => {
    const pressed = (event) => press(app, event);
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  const source = app.run.catalog && state.selected !== null;
  const both = app.other && state.compare === "side";
  return html`
    <div class="page ${source ? "with-source" : ""}">
      <${Top} ...${{ app, state }} />
      <${Side} ...${{ app, state }} />
      <main class="maps ${both ? "two" : ""}">
        <${MapPane} ...${{ app, state, index: 0 }} />
        ${both && html`<${MapPane} ...${{ app, state, index: 1 }} />`}
      </main>
      ${source && html`<${SourcePanel} ...${{ app, state }} />`}
      <${Messages} text=${state.message} />
      <${Help} app=${app} open=${state.help} />
    </div>
  `;
}

function Top({ app, state }) {
  const both = state.compare === "side";
  const find = (event) => {
    event.preventDefault();
    app.find(event.target.elements.find.value);
  };
  return html`
    <header class="top">
      <h1><img src="icon.svg" alt="" width="22" height="22" /> ${app.run.manifest.title}</h1>
      <form role="search" onSubmit=${find}>
        <label class="hidden" for="find">Go to a position or a source</label>
        <input id="find" name="find" placeholder="RA Dec, or a source’s number" autocomplete="off" />
      </form>
      <span class="buttons">
        ${app.other &&
        html`<button
          aria-pressed=${both}
          class=${both ? "on" : ""}
          title="Both runs side by side"
          onClick=${() => app.store.set({ compare: both ? "off" : "side" })}
        >
          Side by side
        </button>`}
        <button title="Copy the address of this view" onClick=${() => app.share()}>Share</button>
        <button title="Dark or light (t)" aria-label="Dark or light" onClick=${() => app.toggleTheme()}>
          ${state.theme === "dark" ? "☀" : "☾"}
        </button>
        <button title="Keys (?)" aria-label="Keys" onClick=${() => app.store.set({ help: true })}>?</button>
      </span>
    </header>
  `;
}

const PANELS = {
  layers: ["Layers", LayersPanel],
  sources: ["Sources", SourcesPanel],
  plots: ["Plots", PlotsPanel],
};

/** The panels, one of which is shown. */
function Side({ app, state }) {
  const names = app.run.catalog ? Object.keys(PANELS) : ["layers"];
  const shown = names.includes(state.tab) ? state.tab : "layers";
  const tabs = useRef(null);
  const move = (event) => {
    const i = names.indexOf(shown);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + names.length) % names.length;
    app.store.set({ tab: names[next] });
    tabs.current.children[next].focus();
  };
  return html`
    <aside class="side" aria-label="Panels">
      <div class="tabs" role="tablist" aria-label="Panels" ref=${tabs} onKeyDown=${move}>
        ${names.map(
          (name) => html`<button
            role="tab"
            id="tab-${name}"
            aria-controls="panel"
            aria-selected=${name === shown}
            tabindex=${name === shown ? 0 : -1}
            class=${name === shown ? "on" : ""}
            onClick=${() => app.store.set({ tab: name })}
          >
            ${PANELS[name][0]}
          </button>`,
        )}
      </div>
      <section class="panel ${shown}" id="panel" role="tabpanel" aria-labelledby="tab-${shown}">
        <${PANELS[shown][1]} ...${{ app, state }} />
      </section>
    </aside>
  `;
}

/** The keys, in a dialog of the browser: it keeps the focus, gives it back, and closes with Escape. */
function Help({ app, open }) {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    if (open) dialog.current.showModal();
    else dialog.current.close();
  }, [open]);
  const closed = () => {
    // The browser says so some time later: it may be open again.
    if (!dialog.current.open) app.store.set({ help: false });
  };
  const { facts } = app.run.manifest;
  return html`
    <dialog class="help" aria-labelledby="help" ref=${dialog} onClose=${closed}>
      <h2 id="help">Keys</h2>
      <dl>${KEYS.map(([key, what]) => html`<dt>${key}</dt><dd>${what}</dd>`)}</dl>
      <p class="note">
        Made with ${facts.model ?? "an unknown model"}${facts.started && `, ${facts.started} UTC`}.
        Values in tiles are rounded: bands to 0.4%, or 0.004 of the noise, probabilities to 0.002;
        the catalogue’s are as in the file. Colours of the paper: Hausen & Robertson (2020).
      </p>
      <button onClick=${() => dialog.current.close()}>Close</button>
    </dialog>
  `;
}
