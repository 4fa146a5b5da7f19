// The sources that are shown, as a table or as regions of DS9.

/** All columns of the shown sources as CSV, with the column names that the catalogue has. */
export async function asTable(catalog) {
  const { columns } = catalog.about;
  await catalog.load(...columns.map((column) => column.name));
  const values = columns.map((column) => catalog.column(column.name));
  const lines = [columns.map((column) => quoted(column.name)).join(",")];
  for (let row = 0; row < catalog.n; row++) {
    if (!catalog.shown[row]) continue;
    lines.push(columns.map(({ type }, i) => cell(values[i][row], type)).join(","));
  }
  return lines.join("\n") + "\n";
}

function cell(value, type) {
  if (type === "text") return quoted(value);
  return Number.isNaN(value) ? "" : shortest(value, type);
}

/** The shortest text that is read as the same number of a type, 'f4' or 'f8'. */
export function shortest(value, type) {
  if (type !== "f4") return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

// A spreadsheet takes text that begins like this for a formula.
const quoted = (text) =>
  /^[=+\-@\t\r]/.test(text) || /[",\n\r]/.test(text)
    ? `"${text.replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`
    : text;

/** The shown sources as ellipses that DS9 draws, as catalog/regions.py writes them. */
export async function asRegions(catalog, manifest) {
  const scale = manifest.sky ? manifest.pixel_scale : null;
  if (scale) await catalog.load("ra", "dec");
  const value = (name, row) => catalog.column(name)[row];
  const unit = scale ? '"' : "";
  const lines = ["# Region file format: DS9 version 4.1", scale ? "icrs" : "image"];
  for (let row = 0; row < catalog.n; row++) {
    if (!catalog.shown[row]) continue;
    const place = scale
      ? [value("ra", row), value("dec", row)]
      : [value("x", row) + 1, value("y", row) + 1]; // from 1 in DS9
    if (!place.every(Number.isFinite)) continue;
    const { major, ratio, angle } = catalog.ellipse(row);
    const numbers = [
      ...place.map((part) => part.toFixed(scale ? 8 : 3)),
      ...[major, major * ratio].map((side) => (side * (scale ?? 1)).toFixed(scale ? 4 : 3) + unit),
      // DS9 counts angles from the first axis; a position angle from the second.
      modulo(angle + 90, 180).toFixed(2),
    ];
    const color = catalog.classes[catalog.classOf[row]]?.paper ?? "white";
    lines.push(`ellipse(${numbers.join(",")}) # text={${value("id", row)}} color=${color}`);
  }
  return lines.join("\n") + "\n";
}

const modulo = (value, whole) => (value % whole) + (value % whole < 0 ? whole : 0);
