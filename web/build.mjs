// Bundles the libraries of vendor.mjs, and writes down which they are and under which licences.
import { build } from "esbuild";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const target = new URL("../src/morpheus/viewer/static/vendor/", import.meta.url);
mkdirSync(target, { recursive: true });
const result = await build({
  entryPoints: [new URL("vendor.mjs", import.meta.url).pathname],
  outfile: new URL("vendor.js", target).pathname,
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
  target: "es2022",
  metafile: true,
});

const names = new Set();
for (const path of Object.keys(result.metafile.inputs)) {
  const found = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (found) names.add(found[1]);
}
const parts = [...names].sort().map((name) => {
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const about = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
  let licence = "";
  for (const file of ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"]) {
    try {
      licence = readFileSync(new URL(file, folder), "utf8").trim();
      break;
    } catch {}
  }
  return `${name} ${about.version} (${about.license})\n\n${licence}`;
});
writeFileSync(
  new URL("LICENSES.txt", target),
  `vendor.js is made by web/build.mjs of these packages:\n\n${parts.join("\n\n----\n\n")}\n`,
);
