// The sources that are shown, as a table or as regions of DS9.

/** All columns of the shown sources as CSV, with the column names that the catalogue has. */
export async function asTable(catalog) {
  const names = catalog.about.columns.map((column) => column.name);
  await catalog.load(...names);
  const columns = names.map((name) => catalog.column(name));
  const single = names.map((name, i) => catalog.about.columns[i].type === "f4");
  const lines = [names.map(quoted).join(",")];
  for (let row = 0; row < catalog.n; row++) {
    if (!catalog.shown[row]) continue;
    lines.push(
      columns.map((values, i) => cell(values[row], single[i])).join(","),
    );
  }
  return lines.join("\n") + "\n";
}

function cell(value, single) {
  if (typeof value !== "number") return quoted(value);
  if (Number.isNaN(value)) return "";
  return String(single ? Number(value.toPrecision(8)) : value);
}

// A spreadsheet takes text that begins like this for a formula.
const quoted = (text) =>
  /^[=+\-@\t\r]/.test(text) || /[",\n\r]/.test(text)
    ? `"${text.replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`
    : text;

/** The shown sources as ellipses that DS9 draws, in the colours of the paper. */
export async function asRegions(catalog, manifest) {
  await catalog.load("ra", "dec", "kron_semi_major", "semi_major", "ellipticity", "position_angle");
  const value = (name, row) => catalog.column(name)[row];
  const scale = manifest.sky ? manifest.pixel_scale : null;
  const lines = ["# Region file format: DS9 version 4.1", scale ? "icrs" : "image"];
  for (let row = 0; row < catalog.n; row++) {
    if (!catalog.shown[row]) continue;
    let major = value("kron_semi_major", row);
    if (!(major > 0)) major = 3 * value("semi_major", row);
    let ratio = 1 - value("ellipticity", row);
    if (!(major > 0) || !(ratio > 0)) [major, ratio] = [Math.sqrt(value("area", row) / Math.PI), 1];
    // DS9 counts angles from the first axis; a position angle from the second.
    const angle = ((value("position_angle", row) || 0) + 90) % 180;
    const unit = scale ? '"' : "";
    const sides = [major, major * ratio].map((side) => (side * (scale ?? 1)).toFixed(4) + unit);
    const place = scale
      ? [value("ra", row).toFixed(8), value("dec", row).toFixed(8)]
      : [(value("x", row) + 1).toFixed(3), (value("y", row) + 1).toFixed(3)];
    const color = catalog.classes[catalog.classOf[row]]?.paper ?? "white";
    lines.push(
      `ellipse(${[...place, ...sides, angle.toFixed(2)].join(",")})` +
        ` # text={${value("id", row)}} color=${color}`,
    );
  }
  return lines.join("\n") + "\n";
}
