"""Make a small simulated four-band HST-like field, delivered as a survey delivers its mosaics.

`python demo/make_field.py OUTPUT_DIR` writes, for the bands F160W, F125W, F606W and F850LP,
`<band>_sci.fits` (electrons/s) and `<band>_wht.fits` (inverse variance), and what was put in,
`truth.ecsv`. The same options give the same pixels on every run.

Nothing here is an observation: galaxies are Sersic components, stars are the diffraction pattern
of a 2.4 m telescope with a secondary mirror on four vanes, and the noise has the level and the
pixel-to-pixel correlation of CANDELS' deep images.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

Array = NDArray[np.float64]

PIXEL_SCALE = 0.06  # arcsec
FIELD_CENTER = (53.1228, -27.8051)  # ICRS degrees, in GOODS-S
SOURCES_PER_PIXEL = 30 / 300**2
MIN_SIZE = 100
ROOMY = 8  # pixels between the extents of two sources: more room makes no place better
EDGE = 14  # pixels: no source's centre is nearer to the field's edge
PAD = 64  # pixels around the field, so that FFT convolutions do not wrap into it
BRIGHTEST, FAINTEST = 19.0, 25.0  # F160W AB
KINDS = ("sci", "wht")


@dataclass(frozen=True)
class Band:
    """One band: its calibration, its noise and what shapes its PSF."""

    name: str
    instrument: str
    detector: str
    zero_point: float  # AB magnitude of 1 electron/s
    pivot: float  # PHOTPLAM, angstrom
    width: float  # of the passband, as a fraction of the pivot wavelength
    detector_pixel: float  # arcsec
    blur: float  # arcsec, sigma: jitter, charge diffusion and the drizzle kernel
    vane_angle: float  # degrees, of the diffraction spikes
    exposure: float  # s
    sky_sigma: float  # electrons/s per pixel
    correlation: float  # weight of the next pixel in the kernel that correlates the noise
    color_slope: float  # (band - F160W) of a galaxy = color_slope * (F606W - F160W)
    star_slope: float  # the same, of a star

    @property
    def photflam(self) -> float:
        """Inverse sensitivity (erg/s/cm2/A for 1 electron/s): STScI's ABMAG formula, inverted."""
        return 10 ** (-0.4 * (self.zero_point + 2.408)) / self.pivot**2


BANDS = (
    Band("F160W", "WFC3", "IR", 25.946, 15369.18, 0.17, 0.128, 0.042, 2, 5500, 3e-3, 0.35, 0, 0),
    Band("F125W", "WFC3", "IR", 26.230, 12486.06, 0.23, 0.128, 0.042, 2, 5000, 3e-3, 0.35, 0.15, 0),
    Band("F606W", "ACS", "WFC", 26.491, 5921.9, 0.30, 0.05, 0.033, 44, 6000, 2e-3, 0.10, 1, 1),
    Band("F850LP", "ACS", "WFC", 24.857, 9033.2, 0.14, 0.05, 0.034, 44, 14000, 2e-3, 0.1, 0.4, 0.2),
)


@dataclass(frozen=True)
class Component:
    """One Sersic profile of a galaxy. Lengths in pixels, angles in radians."""

    dx: float
    dy: float
    fraction: float  # of the galaxy's F160W flux
    n: float
    r_e: float
    axis_ratio: float
    angle: float
    color: float  # F606W - F160W
    arms: float = 0.0  # contrast of the spiral arms in F606W
    pitch: float = 0.3


@dataclass(frozen=True)
class Source:
    """One source and its place; a star has no components."""

    kind: str
    mag: float  # F160W AB
    r_e: float  # arcsec; 0 for a star
    color: float  # F606W - F160W
    components: tuple[Component, ...]
    x: float = math.nan
    y: float = math.nan

    @property
    def extent(self) -> float:
        """Radius in pixels inside which a neighbour would be in the way."""
        return 5 + 1.5 * self.r_e / PIXEL_SCALE + 1.5 * (FAINTEST - self.mag)


# --- The sources -----------------------------------------------------------------------------


def spheroid(rng: np.random.Generator, mag: float) -> Source:
    """Return a red, round, concentrated galaxy."""
    r_e = float(np.clip(0.30 * 10 ** (-0.12 * (mag - 21.5)) * rng.lognormal(0, 0.2), 0.15, 0.8))
    color = float(np.clip(rng.normal(2.2, 0.35), 1.4, 3.0))
    body = Component(
        dx=0,
        dy=0,
        fraction=1,
        n=rng.uniform(3.4, 4.5),
        r_e=r_e / PIXEL_SCALE,
        axis_ratio=rng.uniform(0.65, 1),
        angle=rng.uniform(0, np.pi),
        color=color,
    )
    return Source("spheroid", mag, r_e, color, (body,))


def disk(rng: np.random.Generator, mag: float) -> Source:
    """Return an inclined exponential disk with spiral arms and a small, redder bulge."""
    r_e = float(np.clip(0.62 * 10 ** (-0.09 * (mag - 21.5)) * rng.lognormal(0, 0.2), 0.3, 1.2))
    color = float(np.clip(rng.normal(1.35, 0.3), 0.7, 2.1))
    bulge_fraction = rng.uniform(0.03, 0.15)
    shape = {"angle": rng.uniform(0, np.pi), "axis_ratio": rng.uniform(0.25, 0.95)}
    body = Component(
        dx=0,
        dy=0,
        fraction=1 - bulge_fraction,
        n=1,
        r_e=r_e / PIXEL_SCALE,
        color=color - 0.1,
        arms=rng.uniform(0.5, 0.9),
        pitch=rng.choice([-1, 1]) * rng.uniform(0.25, 0.45),
        **shape,
    )
    bulge = Component(
        dx=0,
        dy=0,
        fraction=bulge_fraction,
        n=2.5,
        r_e=0.2 * r_e / PIXEL_SCALE,
        color=color + 0.8,
        angle=shape["angle"],
        axis_ratio=max(shape["axis_ratio"], 0.7),
    )
    return Source("disk", mag, r_e, color, (body, bulge))


def irregular(rng: np.random.Generator, mag: float) -> Source:
    """Return blue clumps of unequal brightness on a lopsided faint body."""
    r_e = float(np.clip(0.50 * 10 ** (-0.07 * (mag - 21.5)) * rng.lognormal(0, 0.15), 0.25, 0.9))
    scale = r_e / PIXEL_SCALE
    color = float(np.clip(rng.normal(0.75, 0.2), 0.3, 1.2))
    n_clumps = int(rng.integers(4, 7))
    weights = rng.dirichlet(np.full(n_clumps, 2.0)) * 0.65
    along, across = rng.uniform(-1.8, 1.8, n_clumps) * scale, rng.normal(0, 0.6, n_clumps) * scale
    angle = rng.uniform(0, np.pi)
    dx = along * np.cos(angle) - across * np.sin(angle)
    dy = along * np.sin(angle) + across * np.cos(angle)
    # The position of the source is its centroid: shift the clumps, whose light is not balanced.
    dx, dy = dx - dx @ weights / weights.sum(), dy - dy @ weights / weights.sum()
    clumps = [
        Component(
            dx=float(dx[i]),
            dy=float(dy[i]),
            fraction=float(weights[i]),
            n=1,
            r_e=scale * rng.uniform(0.15, 0.35),
            axis_ratio=rng.uniform(0.5, 1),
            angle=rng.uniform(0, np.pi),
            color=color + rng.normal(0, 0.4),
        )
        for i in range(n_clumps)
    ]
    body = Component(
        dx=0,
        dy=0,
        fraction=0.35,
        n=0.8,
        r_e=1.1 * scale,
        axis_ratio=rng.uniform(0.4, 0.7),
        angle=angle + rng.normal(0, 0.3),
        color=color + 0.2,
    )
    return Source("irregular", mag, r_e, color, (body, *clumps))


def point_source(rng: np.random.Generator, mag: float) -> Source:
    """Return a star."""
    return Source("point_source", mag, 0.0, float(np.clip(rng.normal(1.1, 0.4), 0.3, 2)), ())


# Maker, share of the sources, brightest and faintest F160W magnitude.
POPULATION: tuple[tuple[Callable[..., Source], float, float, float], ...] = (
    (spheroid, 0.26, 19.6, 24.0),
    (disk, 0.44, 20.0, FAINTEST),
    (irregular, 0.17, 21.2, 24.6),
    (point_source, 0.13, BRIGHTEST, 23.4),
)


def draw_sources(rng: np.random.Generator, size: int) -> list[Source]:
    """Draw the population, brightest first; magnitudes are spread, more of them faint."""
    total = SOURCES_PER_PIXEL * size**2
    sources = []
    for make, share, bright, faint in POPULATION:
        n = max(1, round(share * total))
        quantiles = (np.arange(n) + rng.uniform(0, 0.6, n)) / n
        sources += [make(rng, float(bright + (faint - bright) * q**0.7)) for q in quantiles]
    return sorted(sources, key=lambda source: source.mag)


def place(
    rng: np.random.Generator, sources: Sequence[Source], observed: NDArray[np.bool_]
) -> list[Source]:
    """Give every source the first roomy, else the roomiest of many places, brightest first."""
    size = observed.shape[0]
    placed: list[Source] = []
    for source in sources:
        x, y = rng.uniform(EDGE, size - 1 - EDGE, (2, 400))
        room = np.minimum.reduce([x, y, size - x, size - y]) - 0.6 * source.extent
        for other in placed:
            gap = np.hypot(x - other.x, y - other.y) - source.extent - other.extent
            room = np.minimum(room, gap)
        room[~observed[np.rint(y).astype(int), np.rint(x).astype(int)]] = -np.inf
        best = int(np.argmax(np.minimum(room, ROOMY)))
        position = {"x": float(x[best]), "y": float(y[best])}
        placed.append(Source(**{**vars(source), **position}))
    return placed


# --- The images ------------------------------------------------------------------------------


def sersic(component: Component, x: Array, y: Array, arms: float) -> Array:
    """Return the surface brightness of a component with a flux of 1 at offsets `x`, `y`."""
    n, r_e, q = component.n, component.r_e, component.axis_ratio
    b = 2 * n - 1 / 3 + 4 / (405 * n) + 46 / (25515 * n**2)  # Ciotti & Bertin (1999)
    total = 2 * np.pi * n * r_e**2 * q * math.exp(b) * b ** (-2 * n) * math.gamma(2 * n)
    cos, sin = math.cos(component.angle), math.sin(component.angle)
    major, minor = x * cos + y * sin, (y * cos - x * sin) / q
    radius = np.hypot(major, minor) / r_e
    light = np.exp(-b * (radius ** (1 / n) - 1)) / total
    if arms:
        # Two logarithmic spirals, fading towards the centre. Over an angle they average to 1.
        turn = np.log(np.maximum(radius, 0.05)) / math.tan(component.pitch)
        light *= 1 + arms * np.cos(2 * (np.arctan2(minor, major) - turn)) * np.tanh(radius**2)
    return light


def overlap(image: Array, x: float, y: float, half: float) -> tuple[slice, slice]:
    """Return the part of the image within `half` pixels of (x, y) along either axis."""
    rows, columns = (
        slice(max(0, math.floor(at - half)), max(0, min(length, math.ceil(at + half) + 1)))
        for at, length in zip((y, x), image.shape, strict=True)
    )
    return rows, columns


def integrate(
    component: Component,
    x: float,
    y: float,
    box: tuple[slice, slice],
    *,
    oversample: int,
    arms: float,
) -> Array:
    """Return a component of flux 1 at (x, y) on the pixels of `box`."""
    step = (np.arange(oversample) + 0.5) / oversample - 0.5
    at_y, at_x = ((np.arange(s.start, s.stop)[:, None] + step).ravel() for s in box)
    fine = sersic(component, at_x[None, :] - x, at_y[:, None] - y, arms)
    shape = at_y.size // oversample, oversample, at_x.size // oversample, oversample
    return fine.reshape(shape).mean(axis=(1, 3))


def add_component(
    image: Array, component: Component, x: float, y: float, *, flux: float, arms: float
) -> None:
    """Add a component at (x, y), oversampled where its profile is steep."""
    outer = overlap(image, x, y, 14 * component.r_e + 8)
    inner = overlap(image, x, y, 6)
    stamp = integrate(component, x, y, outer, oversample=1, arms=arms)
    if stamp.size:
        rows, columns = (
            slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True)
        )
        stamp[rows, columns] = integrate(component, x, y, inner, oversample=11, arms=arms)
        image[outer] += flux * stamp


def make_psf(band: Band, oversample: int = 4, size: int = 1024) -> Array:
    """Return the PSF, `oversample` samples a pixel, its sum 1, centred on `[size // 2] * 2`.

    The Fraunhofer pattern of Hubble's pupil (2.4 m, the inner 33% obscured, vanes of 2.2 cm),
    averaged over the passband, blurred by the detector's pixel.
    """
    sample = PIXEL_SCALE / oversample / 206264.806
    index = np.arange(size) - size // 2
    angle = math.radians(band.vane_angle)
    psf = np.zeros((size, size))
    for offset in np.linspace(-0.5, 0.5, 7):
        wavelength = band.pivot * 1e-10 * (1 + offset * band.width)
        pupil_step = wavelength / (size * sample)
        px, py = index[None, :] * pupil_step, index[:, None] * pupil_step
        radius = np.hypot(px, py)
        pupil = ((radius < 1.2) & (radius > 0.33 * 1.2)).astype(float)  # noqa: PLR2004
        for vane in (px * math.cos(angle) + py * math.sin(angle),
                     py * math.cos(angle) - px * math.sin(angle)):  # fmt: skip
            pupil *= np.clip((np.abs(vane) - 0.011) / pupil_step + 0.5, 0, 1)
        psf += np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(pupil)))) ** 2
    frequency = np.fft.fftfreq(size, PIXEL_SCALE / oversample)
    blur = np.sinc(frequency * band.detector_pixel) * np.exp(
        -2 * (np.pi * frequency * band.blur) ** 2
    )
    psf = np.fft.ifft2(np.fft.fft2(psf) * blur[:, None] * blur[None, :]).real
    return psf / psf.sum()


def sample_psf(psf: Array, dx: float, dy: float, oversample: int = 4) -> Array:
    """Return the PSF on the image's pixels, moved by (dx, dy) pixels, its sum about 1."""
    size = psf.shape[0]
    phase = -2j * np.pi * np.fft.fftfreq(size) * oversample
    shift = np.exp(phase[:, None] * dy + phase[None, :] * dx)
    moved = np.fft.ifft2(np.fft.fft2(psf) * shift).real
    return moved[::oversample, ::oversample] * oversample**2


def convolve(image: Array, psf: Array) -> Array:
    """Convolve with a PSF centred on `[n // 2] * 2`; the image's margin takes the wrap."""
    kernel = np.zeros_like(image)
    half = min(psf.shape[0] // 2, PAD)
    center = psf.shape[0] // 2
    core = psf[center - half : center + half, center - half : center + half]
    kernel[: 2 * half, : 2 * half] = core / core.sum()
    kernel = np.roll(kernel, (-half, -half), (0, 1))
    return np.fft.irfft2(np.fft.rfft2(image) * np.fft.rfft2(kernel), image.shape)


def render(band: Band, sources: Sequence[Source], size: int) -> Array:
    """Return the noiseless image of a band, electrons/s."""
    galaxies = np.zeros((size + 2 * PAD, size + 2 * PAD))
    stars = np.zeros_like(galaxies)
    psf = make_psf(band)
    half = psf.shape[0] // 4 // 2

    def flux(mag: float) -> float:
        return 10 ** (-0.4 * (mag - band.zero_point))

    for source in sources:
        x, y = source.x + PAD, source.y + PAD
        for part in source.components:
            value = flux(source.mag + band.color_slope * part.color) * part.fraction
            arms = part.arms * (0.5 + 0.5 * band.color_slope)  # young stars: stronger in the blue
            add_component(galaxies, part, x + part.dx, y + part.dy, flux=value, arms=arms)
        if not source.components:
            value = flux(source.mag + band.star_slope * source.color)
            ix, iy = round(x), round(y)
            box = overlap(stars, ix, iy, half - 1)
            cut = tuple(
                slice(s.start - at + half, s.stop - at + half)
                for s, at in zip(box, (iy, ix), strict=True)
            )
            stars[box] += value * sample_psf(psf, x - ix, y - iy)[cut]
    image = convolve(galaxies, sample_psf(psf, 0, 0)) + stars
    return np.maximum(image[PAD:-PAD, PAD:-PAD], 0)


def coverage(size: int) -> NDArray[np.bool_]:
    """Return where the field was observed: the upper right corner lies beyond a tilted edge."""
    y, x = np.indices((size, size)) - (size - 1)
    notch = 0.14 * size
    return (x + 0.12 * y < -notch) | (y - 0.12 * x < -notch)


def correlated_noise(rng: np.random.Generator, shape: tuple[int, ...], weight: float) -> Array:
    """Return noise of unit variance whose neighbours are correlated, as drizzling makes them."""
    white = rng.standard_normal((shape[0] + 2, shape[1] + 2))
    rows = white[1:-1] + weight * (white[:-2] + white[2:])
    both = rows[:, 1:-1] + weight * (rows[:, :-2] + rows[:, 2:])
    return both / (1 + 2 * weight**2)


def observe(
    rng: np.random.Generator, band: Band, model: Array, observed: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Add noise; return the image and the inverse variance of its sky."""
    exposure = np.ones(model.shape)
    if band.instrument == "ACS":  # the gap between ACS's two chips is seen by fewer exposures
        middle, gap = round(0.37 * model.shape[0]), 20
        exposure[middle - gap : middle + gap] = 0.75
    variance = (band.sky_sigma**2 + model / band.exposure) / exposure
    noise = correlated_noise(rng, model.shape, band.correlation)
    image = np.where(observed, model + np.sqrt(variance) * noise, np.nan)
    weight = np.where(observed, exposure / band.sky_sigma**2, 0)
    return image.astype(np.float32), weight.astype(np.float32)


# --- The files -------------------------------------------------------------------------------


def make_wcs(size: int) -> WCS:
    """Return a tangential projection, north up, east left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = FIELD_CENTER
    wcs.wcs.crpix = [(size + 1) / 2, (size + 1) / 2]
    wcs.wcs.cdelt = [-PIXEL_SCALE / 3600, PIXEL_SCALE / 3600]
    wcs.wcs.radesys = "ICRS"
    return wcs


def make_header(band: Band, wcs: WCS, seed: int) -> fits.Header:
    """Return the header that the two files of a band share."""
    header = wcs.to_header()
    header["TELESCOP"] = "HST"
    header["INSTRUME"] = band.instrument
    header["DETECTOR"] = band.detector
    header["FILTER"] = band.name
    header["EXPTIME"] = (band.exposure, "[s]")
    header["PHOTFLAM"] = (band.photflam, "inverse sensitivity, erg/s/cm2/A per electron/s")
    header["PHOTPLAM"] = (band.pivot, "[Angstrom] pivot wavelength")
    header["HISTORY"] = "Simulated: not an observation. Made by Morpheus' demo/make_field.py"
    header["HISTORY"] = f"with the seed {seed}."
    return header


def make_truth(sources: Sequence[Source], wcs: WCS, seed: int) -> Table:
    """Return the table of what was put into the field, brightest first."""
    x, y = (np.array([getattr(s, axis) for s in sources]) for axis in "xy")
    ra, dec = wcs.pixel_to_world_values(x, y)
    table = Table(meta={"description": "Sources of a simulated field", "seed": seed})
    table["id"] = np.arange(1, len(sources) + 1)
    table["x"], table["y"] = x.round(3) * u.pix, y.round(3) * u.pix
    table["ra"], table["dec"] = ra.round(8) * u.deg, dec.round(8) * u.deg
    table["class"] = [s.kind for s in sources]
    table["mag_f160w"] = np.round([s.mag for s in sources], 3) * u.mag
    table["r_e"] = np.round([s.r_e for s in sources], 3) * u.arcsec
    for name, text in (
        ("x", "0-based pixel coordinate of the centre (irregulars: centroid)"),
        ("y", "0-based pixel coordinate of the centre (irregulars: centroid)"),
        ("ra", "ICRS"),
        ("dec", "ICRS"),
        ("mag_f160w", "Total F160W AB magnitude"),
        ("r_e", "Half-light semi-major axis before the PSF (irregulars: nominal; stars: 0)"),
    ):
        table[name].info.description = text
    return table


def make_field(output: Path, *, size: int, seed: int, overwrite: bool) -> list[Path]:
    """Write the field; return the files.

    Raises
    ------
    FileExistsError
        If a file is there already and `overwrite` is false. Nothing is written then.
    """
    files = {(b.name, k): output / f"{b.name.lower()}_{k}.fits" for b in BANDS for k in KINDS}
    truth_file = output / "truth.ecsv"
    existing = [f.name for f in (*files.values(), truth_file) if f.exists()]
    if existing and not overwrite:
        raise FileExistsError(
            f"{output} already holds {', '.join(existing)}; replace with --overwrite"
        )

    rng = np.random.default_rng(seed)
    wcs, observed = make_wcs(size), coverage(size)
    sources = place(rng, draw_sources(rng, size), observed)
    output.mkdir(parents=True, exist_ok=True)
    for band in BANDS:
        sci, wht = observe(rng, band, render(band, sources, size), observed)
        header = make_header(band, wcs, seed)
        wht_header = header.copy()
        header["BUNIT"] = "ELECTRONS/S"
        wht_header["HISTORY"] = "Inverse variance of the sky, (electrons/s)^-2; 0: not observed."
        fits.writeto(files[band.name, "sci"], sci, header, overwrite=True)
        fits.writeto(files[band.name, "wht"], wht, wht_header, overwrite=True)
    make_truth(sources, wcs, seed).write(truth_file, overwrite=True)
    return [*files.values(), truth_file]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the field."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("--size", type=int, default=300, help="pixels along a side (%(default)s)")
    parser.add_argument("--seed", type=int, default=5, help="of the random numbers (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    options = parser.parse_args(arguments)
    if options.size < MIN_SIZE:
        parser.error(f"--size must be at least {MIN_SIZE} pixels, not {options.size}")
    try:
        files = make_field(
            options.output_dir, size=options.size, seed=options.seed, overwrite=options.overwrite
        )
    except FileExistsError as error:
        sys.exit(str(error))
    print(f"Wrote {len(files)} files to {options.output_dir}")


if __name__ == "__main__":
    main()
