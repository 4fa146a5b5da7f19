// Pixels and positions: interpolated in the table that viewer/sky.py makes.

const DEGREE = Math.PI / 180;

export class Sky {
  /** @param manifest of a run; it may have no sky. */
  constructor(manifest) {
    [this.height, this.width] = manifest.shape;
    this.known = manifest.sky !== null;
    if (!this.known) return;
    this.n = manifest.sky.n;
    const bytes = Uint8Array.from(atob(manifest.sky.vectors), (c) => c.charCodeAt(0));
    this.vectors = new Float64Array(bytes.buffer);
  }

  /** Unit vector towards a pixel, also a little beyond the field. */
  vector(x, y) {
    const cell = (value, size) => {
      const place = ((value + 0.5) / size) * this.n;
      const i = Math.min(Math.max(Math.floor(place), 0), this.n - 1);
      return [i, place - i];
    };
    const [i, u] = cell(x, this.width);
    const [j, v] = cell(y, this.height);
    const at = (row, column, axis) => this.vectors[3 * (row * (this.n + 1) + column) + axis];
    const found = [0, 1, 2].map(
      (axis) =>
        (1 - v) * ((1 - u) * at(j, i, axis) + u * at(j, i + 1, axis)) +
        v * ((1 - u) * at(j + 1, i, axis) + u * at(j + 1, i + 1, axis)),
    );
    const length = Math.hypot(...found);
    return found.map((part) => part / length);
  }

  /** Right ascension and declination of a pixel, in degrees. */
  world(x, y) {
    const [a, b, c] = this.vector(x, y);
    return [(Math.atan2(b, a) / DEGREE + 360) % 360, Math.atan2(c, Math.hypot(a, b)) / DEGREE];
  }

  /** Pixel of a position, by Newton's method; null where it is not in the field or close to it. */
  pixel(ra, dec) {
    const target = unit(ra, dec);
    let [x, y] = [this.width / 2, this.height / 2];
    for (let step = 0; step < 20; step++) {
      const here = this.vector(x, y);
      const alongX = minus(this.vector(x + 1, y), here);
      const alongY = minus(this.vector(x, y + 1), here);
      const missing = minus(target, here);
      // Least squares in the plane of both directions.
      const [xx, xy, yy] = [dot(alongX, alongX), dot(alongX, alongY), dot(alongY, alongY)];
      const [px, py] = [dot(missing, alongX), dot(missing, alongY)];
      const determinant = xx * yy - xy * xy;
      const dx = (px * yy - py * xy) / determinant;
      const dy = (py * xx - px * xy) / determinant;
      x = Math.min(Math.max(x + dx, -this.width), 2 * this.width);
      y = Math.min(Math.max(y + dy, -this.height), 2 * this.height);
      if (Math.hypot(dx, dy) < 1e-4) break;
    }
    const near = Math.hypot(...minus(this.vector(x, y), target));
    const pixel = Math.hypot(...minus(this.vector(x + 1, y), this.vector(x, y)));
    return near < 0.5 * pixel ? [x, y] : null;
  }

  /** Directions of north and east at a pixel, as unit vectors (x, y). */
  compass(x, y) {
    const here = this.vector(x, y);
    const alongX = minus(this.vector(x + 1, y), here);
    const alongY = minus(this.vector(x, y + 1), here);
    const [ra, dec] = this.world(x, y).map((angle) => angle * DEGREE);
    const north = [-Math.sin(dec) * Math.cos(ra), -Math.sin(dec) * Math.sin(ra), Math.cos(dec)];
    const east = [-Math.sin(ra), Math.cos(ra), 0];
    const [xx, xy, yy] = [dot(alongX, alongX), dot(alongX, alongY), dot(alongY, alongY)];
    const determinant = xx * yy - xy * xy;
    return [north, east].map((direction) => {
      const [px, py] = [dot(direction, alongX), dot(direction, alongY)];
      const found = [(px * yy - py * xy) / determinant, (py * xx - px * xy) / determinant];
      const length = Math.hypot(...found);
      return found.map((part) => part / length);
    });
  }
}

/** Distance of two positions in arcsec. */
export function separation(ra1, dec1, ra2, dec2) {
  const chord = Math.hypot(...minus(unit(ra1, dec1), unit(ra2, dec2)));
  return (2 * Math.asin(chord / 2) * 3600) / DEGREE;
}

/** Writes a position, sexagesimal or in degrees; what is rounded to 24 h or 360 degrees is 0. */
export function formatPosition(ra, dec, sexagesimal) {
  const write = sexagesimal ? sixtieths : decimals;
  const [first, second] = sexagesimal
    ? [write(ra / 15, 3, 24), write(Math.abs(dec), 2)]
    : [write(ra, 6, 360), write(Math.abs(dec), 6)];
  return `${first} ${dec < 0 && /[1-9]/.test(second) ? "-" : "+"}${second}`;
}

/** A number of degrees, less than `whole` also when it is rounded. */
function decimals(value, digits, whole = Infinity) {
  const text = value.toFixed(digits);
  return Number(text) < whole ? text : (0).toFixed(digits);
}

/** Hours or degrees, minutes and seconds, less than `whole` also when they are rounded. */
function sixtieths(value, digits, whole = Infinity) {
  const second = 10 ** digits; // all is counted in the last digit of the seconds
  let total = Math.round(value * 3600 * second);
  if (total >= whole * 3600 * second) total = 0;
  const [minutes, seconds] = [Math.floor(total / (60 * second)), (total % (60 * second)) / second];
  const two = (number) => String(number).padStart(2, "0");
  const rest = seconds.toFixed(digits).padStart(digits + 3, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${rest}`;
}

const NUMBER = String.raw`(\d+\.?\d*|\.\d+)`;
const DEGREES = new RegExp(String.raw`^${NUMBER}[\s,°d]+([+-]?)${NUMBER}[°d]?$`, "i");
const SIXTIETHS = new RegExp(
  String.raw`^(\d+)[\s:h]+(\d+)[\s:m]+${NUMBER}s?[\s,]*` +
    String.raw`([+-]?)(\d+)[\s:d°]+(\d+)[\s:m'′]+${NUMBER}[s"″]?$`,
  "i",
);

/**
 * Reads a position, 'ra dec' in degrees, or sexagesimal with colons, letters or spaces.
 *
 * @returns right ascension, at least 0 and less than 360, and declination in degrees; or null, also
 *   if minutes or seconds are 60 or more: that is a slip, and not to be guessed at.
 */
export function parsePosition(text) {
  const plain = text.trim().replace(/[−–]/g, "-").replace(/^\+/, "");
  let ra, sign, dec;
  const degrees = plain.match(DEGREES);
  if (degrees) {
    [ra, sign, dec] = [Number(degrees[1]), degrees[2], Number(degrees[3])];
  } else {
    const parts = plain.match(SIXTIETHS);
    if (!parts) return null;
    const [h, m, s, , d, arcmin, arcsec] = parts.slice(1).map(Number);
    if ([m, s, arcmin, arcsec].some((part) => part >= 60)) return null;
    [ra, sign, dec] = [15 * (h + m / 60 + s / 3600), parts[4], d + arcmin / 60 + arcsec / 3600];
  }
  return ra < 360 && dec <= 90 ? [ra, sign === "-" ? -dec : dec] : null;
}

const unit = (ra, dec) => [
  Math.cos(dec * DEGREE) * Math.cos(ra * DEGREE),
  Math.cos(dec * DEGREE) * Math.sin(ra * DEGREE),
  Math.sin(dec * DEGREE),
];
const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
