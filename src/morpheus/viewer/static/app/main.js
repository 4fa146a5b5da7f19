// Opens the page of the map: loads the runs and shows them.

import { render } from "../vendor/vendor.js";
import { App } from "./app.js";
import { Catalog } from "./catalog.js";
import { load } from "./loading.js";
import { Page } from "./page.js";
import { Sky } from "./sky.js";
import { Tiles } from "./tiles.js";
import { html } from "./ui.js";

async function open(number) {
  const base = `runs/${number}/`;
  const manifest = await (await load(`${base}manifest.json`)).json();
  const catalog = manifest.catalog && new Catalog(base, manifest);
  await catalog?.prepare();
  return { manifest, catalog, sky: new Sky(manifest), tiles: new Tiles(base, manifest) };
}

async function start() {
  const place = document.querySelector("#app");
  try {
    const titles = await (await load("runs.json")).json();
    const runs = await Promise.all(titles.map((_, number) => open(number)));
    document.title = `${runs.map((run) => run.manifest.title).join(" / ")} – Morpheus`;
    const app = new App(runs);
    await app.filter();
    render(html`<${Page} app=${app} />`, place);
    place.querySelector(".loading")?.remove();
    window.morpheus = app; // for those who want to look inside
    addEventListener("hashchange", () => app.readAddress());
  } catch (error) {
    place.textContent = `The field cannot be shown: ${error.message}`;
    throw error;
  }
}

start();
