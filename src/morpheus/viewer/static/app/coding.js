// Reads what viewer/coding.py writes: code 0 is everywhere a pixel without a value.

export const BAND_CODES = 4096;
const BAND_ZERO = 1024;
const BAND_STEP = 1 / 240;

/** Signal to noise of each of the 4096 codes of a band; NaN of code 0. */
export const SIGNALS = Float64Array.from({ length: BAND_CODES }, (_, code) =>
  code ? Math.sinh((code - BAND_ZERO) * BAND_STEP) : NaN,
);

/** Code of a band's pixel from the bytes of a tile at `i`. */
export const bandCode = (bytes, i) => (bytes[i] << 4) | bytes[i + 1];

/** Number of a source from the bytes of a tile at `i`. */
export const labelCode = (bytes, i) => (bytes[i] << 16) | (bytes[i + 1] << 8) | bytes[i + 2];

/** Probability, or scatter, of each of its 256 codes; NaN of code 0. */
export const SHARES = Float64Array.from({ length: 256 }, (_, code) => (code ? (code - 1) / 254 : NaN));
