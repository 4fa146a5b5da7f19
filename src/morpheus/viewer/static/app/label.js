// The page of votes: a source at a time, six answers, and nothing of what others or the model say.

import { render, useEffect, useLayoutEffect, useRef, useState } from "../vendor/vendor.js";
import { listLayers } from "./layers.js";
import { STRETCHES } from "./render.js";
import { edges, stamp, stampSide } from "./stamps.js";
import { Tiles } from "./tiles.js";
import { Drawing, html, Messages } from "./ui.js";

const PATIENCE = 120; // s; the server may be starting again
const PAUSE = 1000; // ms between two attempts
const GLANCE = 300; // ms; who answers sooner meant the source before: a second click, a bounced key
const ZOOMS = [0.5, 0.7, 1, 1.4, 2, 3];

/** Asks the server; tries again if there is no answer: a vote has a token, and is the same one. */
async function ask(path, vote, waiting = () => {}) {
  const end = Date.now() + 1000 * PATIENCE;
  for (;;) {
    try {
      const reply = await fetch(path, vote && {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(vote),
      });
      const answer = await reply.json();
      if (!reply.ok) throw new Refused(answer.error ?? `${reply.status}`);
      return answer;
    } catch (error) {
      if (error instanceof Refused || Date.now() > end) throw error;
      waiting();
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }
}

class Refused extends Error {}

function Page({ session, tiles }) {
  const [voter, setVoter] = useState(session.panel.length === 1 ? session.panel[0] : null);
  const [now, setNow] = useState(null); // {source, progress, answer}
  const [busy, setBusy] = useState(null); // "loading" or "voting"
  const [ready, setReady] = useState(false);
  const [failure, setFailure] = useState(null);
  const [theme, setTheme] = useState("dark");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  const turn = useRef(0); // grows when the voter leaves: what was asked for before is dropped
  const mine = turn.current;
  const fresh = () => mine === turn.current;
  const waiting = () => fresh() && setFailure("The server does not answer; trying again. Nothing is lost.");
  const load = async (path) => {
    setBusy("loading");
    try {
      const found = await ask(`${path}?voter=${encodeURIComponent(voter)}`, null, waiting);
      if (!fresh()) return;
      setNow(found);
      setFailure(null);
    } catch (error) {
      if (!fresh()) return;
      setFailure(error.message);
    }
    setBusy(null);
  };
  useEffect(() => {
    if (voter !== null) load("api/next");
  }, [voter]);

  useLayoutEffect(() => {
    setReady(false);
    const timer = setTimeout(() => setReady(true), GLANCE);
    return () => clearTimeout(timer);
  }, [now?.source?.id]);
  const answer = async (name) => {
    if (busy || !ready || voter === null || !now?.source) return;
    setBusy("voting");
    try {
      const vote = { voter, source: now.source.id, answer: name, token: crypto.randomUUID() };
      await ask("api/vote", vote, waiting);
      await load("api/next");
    } catch (error) {
      setFailure(`The vote on source ${now.source.id} may not be kept: ${error.message}. Answer it again.`);
      setBusy(null);
    }
  };
  // With what is seen, and not a moment later: no key is lost.
  useLayoutEffect(() => {
    const press = (event) => {
      if (/^(INPUT|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const found = session.answers.find((one, i) => event.key === String(i + 1) || event.key.toLowerCase() === one.key);
      if (found) answer(found.name);
      else if (event.key === "Backspace" && voter !== null && !busy) load("api/back");
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });

  if (voter === null) {
    return html`<div class="start">
      <h1><img src="icon.svg" alt="" width="22" height="22" /> Who votes?</h1>
      <div class="names">
        ${session.panel.map((name) => html`<button onClick=${() => setVoter(name)}>${name}</button>`)}
      </div>
      <p class="note">Nobody sees the answers of others, or those of the model.</p>
    </div>`;
  }
  const anotherVoter = () => {
    turn.current += 1;
    setBusy(null);
    setNow(null); // nobody sees what another said
    setFailure(null);
    setVoter(null);
  };
  const progress = now?.progress;
  const fail = (error) => setFailure(`A picture cannot be shown: ${error.message}`);
  return html`
    <div class="votes">
      <header class="top">
        <h1><img src="icon.svg" alt="" width="22" height="22" /> ${voter}</h1>
        ${progress &&
        html`<div class="progress">
          <div class="bar"><i style=${{ width: `${(100 * progress.voted) / Math.max(progress.total, 1)}%` }}></i></div>
          <span id="progress">${progress.voted} of ${progress.total}</span>
        </div>`}
        <span class="buttons">
          <button title="The last one again (Backspace)" disabled=${Boolean(busy)} onClick=${() => load("api/back")}>
            Back
          </button>
          ${session.panel.length > 1 && html`<button disabled=${busy === "voting"} onClick=${anotherVoter}>Another voter</button>`}
          <button aria-label="Dark or light" onClick=${() => setTheme(theme === "dark" ? "light" : "dark")}>
            ${theme === "dark" ? "☀" : "☾"}
          </button>
        </span>
      </header>
      ${now?.source
        ? html`<${Views} key=${now.source.id} ...${{ tiles, source: now.source, fail }} />`
        : html`<div class="start"><h2>${now ? "That was the last one. Thank you." : "…"}</h2></div>`}
      <footer class="answers" aria-label="Answers" aria-busy=${Boolean(busy) || !ready}>
        <${Messages} role="alert" text=${failure} className="failed" />
        ${session.answers.map(
          (one, i) => html`<button
            title=${one.meaning}
            class=${now?.answer === one.name ? "on" : ""}
            disabled=${Boolean(busy) || !now?.source}
            onClick=${(event) => event.detail < 2 && answer(one.name)}
          >
            ${one.label}<kbd>${i + 1} ${one.key}</kbd>
          </button>`,
        )}
      </footer>
    </div>
  `;
}

/** The settings last until the page is closed: the next source is seen as the last one. */
const look = { zoom: 3, kind: "asinh", high: 30, outline: true };

function Views({ tiles, source, fail }) {
  const [settings, setSettings] = useState({ ...look });
  const change = (patch) => setSettings({ ...Object.assign(look, patch) });
  const layers = listLayers(tiles.manifest, false);
  const bands = layers.filter((layer) => layer.band);
  const main = layers.find((layer) => layer.id === "rgb") ?? bands[0];
  const outlines = layers.find((layer) => layer.id === "outlines");
  const side = Math.round(stampSide(source) * ZOOMS[settings.zoom]);
  const place = { x: source.x, y: source.y, side };
  const scale = tiles.manifest.pixel_scale;
  const common = { tiles, place, settings, fail };
  return html`
    <main class="views">
      <figure>
        <${Picture} ...${common} layer=${main} />
        ${outlines && settings.outline && html`<${Edges} ...${{ tiles, place, source, fail }} />`}
        <figcaption>
          <span>${main.name}${main.detail ? ` (${main.detail})` : ""}</span>
          <span>Source ${source.id}; picture of ${side} pixels${scale ? `, ${(side * scale).toFixed(1)}″` : ""}</span>
        </figcaption>
      </figure>
      <div class="bands">
        ${bands.map(
          (layer) => html`<figure>
            <${Picture} ...${common} layer=${layer} />
            <figcaption>${layer.name}</figcaption>
          </figure>`,
        )}
        <div class="tools">
          <label>
            Stretch
            <select value=${settings.kind} onChange=${(event) => change({ kind: event.target.value })}>
              ${Object.keys(STRETCHES).map((kind) => html`<option value=${kind}>${kind}</option>`)}
            </select>
          </label>
          <label title="What is white, in units of the noise">
            Bright at
            <input
              type="range" min="0.5" max="4" step="0.05" value=${Math.log10(settings.high)}
              onInput=${(event) => change({ high: 10 ** event.target.value })}
            />
            ${settings.high.toPrecision(2) * 1} σ
          </label>
          <label>
            Around it
            <input
              type="range" min="0" max=${ZOOMS.length - 1} step="1" value=${settings.zoom}
              onInput=${(event) => change({ zoom: Number(event.target.value) })}
            />
          </label>
          <label>
            <input type="checkbox" checked=${settings.outline} onChange=${() => change({ outline: !settings.outline })} />
            outline
          </label>
        </div>
      </div>
    </main>
  `;
}

function Picture({ tiles, place, settings, layer, fail }) {
  const { kind, high } = settings;
  const stretch = { kind, low: -2, high, color: "#ffffff" };
  const make = () => stamp(layer, tiles, place, { stretch, palette: "safe" });
  return html`<${Drawing} inputs=${[place.side, kind, high]} label=${layer.name} ...${{ make, fail }} />`;
}

function Edges({ tiles, place, source, fail }) {
  const make = () => edges(tiles, place, source.id);
  return html`<${Drawing} class="over" inputs=${[place.side]} label="Outlines" ...${{ make, fail }} />`;
}

async function start() {
  const place = document.querySelector("#app");
  try {
    const [session, manifest] = await Promise.all([ask("api/session"), ask("runs/0/manifest.json")]);
    const tiles = new Tiles("runs/0/", manifest);
    render(html`<${Page} session=${session} tiles=${tiles} />`, place);
    place.querySelector(".loading")?.remove();
  } catch (error) {
    place.textContent = `The sources cannot be shown: ${error.message}`;
    throw error;
  }
}

start();
