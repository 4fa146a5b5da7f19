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

/** Writes a position, sexagesimal or in degrees. */
export function formatPosition(ra, dec, sexagesimal) {
  if (!sexagesimal) return `${ra.toFixed(6)} ${dec < 0 ? "" : "+"}${dec.toFixed(6)}`;
  return `${sixtieths(ra / 15, 3)} ${dec < 0 ? "-" : "+"}${sixtieths(Math.abs(dec), 2)}`;
}

/** Reads a position, 'ra dec' in degrees or sexagesimal with colons, letters or spaces; or null. */
export function parsePosition(text) {
  const parts = text
    .replace(/[−–]/g, "-")
    .split(/[\s,hdms:°'"′″]+/i)
    .filter(Boolean);
  const numbers = parts.map(Number);
  if (numbers.some((part) => !Number.isFinite(part))) return null;
  let ra, dec;
  if (numbers.length === 2) {
    [ra, dec] = numbers;
  } else if (numbers.length === 6) {
    if (numbers.some((part, i) => part < 0 && i !== 3)) return null;
    const sign = parts[3].startsWith("-") ? -1 : 1;
    ra = 15 * (numbers[0] + numbers[1] / 60 + numbers[2] / 3600);
    dec = sign * (Math.abs(numbers[3]) + numbers[4] / 60 + numbers[5] / 3600);
  } else return null;
  return ra >= 0 && ra <= 360 && Math.abs(dec) <= 90 ? [ra, dec] : null;
}

function sixtieths(value, digits) {
  const unitsPerSecond = 10 ** digits;
  const total = Math.round(value * 3600 * unitsPerSecond);
  const seconds = (total % (60 * unitsPerSecond)) / unitsPerSecond;
  const minutes = Math.floor(total / (60 * unitsPerSecond)) % 60;
  const whole = Math.floor(total / (3600 * unitsPerSecond));
  const two = (number) => String(number).padStart(2, "0");
  return `${two(whole)}:${two(minutes)}:${seconds.toFixed(digits).padStart(digits + 3, "0")}`;
}

const unit = (ra, dec) => [
  Math.cos(dec * DEGREE) * Math.cos(ra * DEGREE),
  Math.cos(dec * DEGREE) * Math.sin(ra * DEGREE),
  Math.sin(dec * DEGREE),
];
const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
