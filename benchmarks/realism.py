"""How real the simulated sky is: real frames and simulated fields, measured alike, side by side.

`python benchmarks/realism.py FRAMES MODEL` takes a folder of real frames, each a folder with
`<band>_sci.fits`, with `labels.csv` (frame, x, y, edge_px, id and a column of votes for each
class) and `goodss_votes.csv` (votes alone); and a model, installed or a folder. It makes a field
of candels-deep for every seed and prints, in Markdown: noise, point-spread function, colours and
sizes of detected sources, pixel values, votes, and what the network says of real and of simulated
sources. docs/simulation.md holds what was kept.
"""

import argparse
import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from photutils.aperture import CircularAperture
from photutils.segmentation import deblend_sources, detect_sources
from scipy import fft, ndimage, optimize

import morpheus
from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.simulate import SURVEYS, FieldOptions, simulate_field
from morpheus.simulate.population import DENSITY, draw_population
from morpheus.simulate.psf import OVERSAMPLE, frequencies, transfer

Array = NDArray[np.float64]

SURVEY = SURVEYS["candels-deep"]
BANDS = tuple(band.name for band in SURVEY.bands)
ZERO_POINTS = np.array([band.zero_point for band in SURVEY.bands])
NOISE_FRAMES = {
    "candels-deep": "candels_GDS_ers2_*",
    "candels-wide": "candels_GDS_wide2_*",
    "xdf": "xdf_*",
}
CROWDED = (
    0.7  # correlation of F160W's noise: there is no sky in such a frame, but wings of galaxies
)
STAR, COMPANION = "star_1", (24, 28)
SAME = 0.42  # arcsec from the companion that are left out
RADII = (0.12, 0.18, 0.30, 0.60, 0.90)
MAGNITUDES = ((20, 22.5), (22.5, 24), (24, 25.5))
QUANTILES = (1, 16, 50, 84, 99)
REACH, EDGE = 6, 8  # pixels: of a source's class, and least distance from an edge
CLEAR = 0.6  # share of the votes
FAINTEST = 24.5  # F160W, of the sources that the network judges


@dataclass(frozen=True)
class Sources:
    """Detected sources: magnitude, colours (band - F160W), half-light radius, values / noise."""

    mags: Array
    colors: Array
    radii: Array
    values: Array


def read_frame(folder: Path) -> Array:
    """Read the bands of a real frame."""
    bands = [fits.getdata(folder / f"{band.lower()}_sci.fits").astype(float) for band in BANDS]
    return np.nan_to_num(np.array(bands))


def sky_pixels(images: Array) -> NDArray[np.bool_]:
    """Find pixels without sources in any band."""
    lit = np.zeros(images.shape[1:], bool)
    for image in images:
        smooth = ndimage.gaussian_filter(image, 1.5)
        found = np.zeros_like(lit)
        for _ in range(10):
            level = np.median(smooth[~found])
            spread = 1.4826 * np.median(abs(smooth[~found] - level))
            found = abs(smooth - level) > 2.5 * spread
        lit |= ndimage.binary_dilation(found, iterations=3)
    return ~lit


def sky_noise(image: Array, sky: NDArray[np.bool_]) -> Array:
    """Measure sigma, and the autocorrelation at lags (0, 1), (1, 1) and (0, 2)."""
    level = np.median(image[sky])
    spread = 1.4826 * np.median(abs(image[sky] - level))
    kept = sky & (abs(image - level) < 4 * spread)
    offset = image - image[kept].mean()

    def correlation(rows: int, columns: int) -> float:
        ahead = np.s_[rows:, columns:]
        behind = np.s_[: image.shape[0] - rows, : image.shape[1] - columns]
        both = kept[ahead] & kept[behind]
        return float((offset[ahead] * offset[behind])[both].mean() / offset[kept].var())

    along = [(correlation(0, lag) + correlation(lag, 0)) / 2 for lag in (1, 2)]
    return np.array([offset[kept].std(), along[0], correlation(1, 1), along[1]])


def frame_noise(images: Array) -> Array:
    """Measure the noise of every band."""
    sky = sky_pixels(images)
    return np.array([sky_noise(image, sky) for image in images])


def print_noise(frames: Path, seed: int) -> None:
    """Print the noise of real frames and of simulated fields: the median of the frames."""
    print(f"\n| | frames | {' | '.join(BANDS)} |\n|---|---|---|---|---|---|")
    for survey, pattern in NOISE_FRAMES.items():
        real = [frame_noise(read_frame(folder)) for folder in sorted(frames.glob(pattern))]
        real = [noise for noise in real if noise[0, 1] < CROWDED]
        made = simulate_field(FieldOptions(survey=survey, size=512, seed=seed, defects=False))
        for name, found in (("real", real), (f"`{survey}`", [frame_noise(made.images)])):
            cells = [
                f"{sigma:.5f}: {one:.2f}, {both:.2f}, {two:.2f}"
                for sigma, one, both, two in np.median(found, axis=0)
            ]
            print(f"| {name} | {len(found)} | {' | '.join(cells)} |")


def fit_gaussian(image: Array, x: float, y: float) -> tuple[float, float, float]:
    """Fit a Gaussian within 4 pixels; return its centre, and its FWHM in arcsec."""
    rows, columns = np.indices(image.shape)
    near = np.hypot(columns - x, rows - y) < 4

    def residual(p: Array) -> Array:
        radius2 = (columns - p[1]) ** 2 + (rows - p[2]) ** 2
        return (p[0] * np.exp(-radius2 / 2 / p[3] ** 2) + p[4] - image)[near]

    p = optimize.least_squares(residual, (image.max(), x, y, 1.3, 0)).x
    return float(p[1]), float(p[2]), float(2.3548 * abs(p[3]) * SURVEY.pixel_scale)


def simulated_star(number: int, x: float, y: float, size: int) -> Array:
    """Draw a point source at a place in an image."""
    side = 96
    ky, kx = frequencies(SURVEY, side)
    there = np.exp(-1j * (kx * x + ky * y) * SURVEY.pixel_scale)
    image = fft.irfft2(transfer(SURVEY, SURVEY.bands[number], side) * there)
    drawn: Array = image[::OVERSAMPLE, ::OVERSAMPLE][:size, :size]
    return drawn


def growth(image: Array, x: float, y: float) -> Array:
    """Measure the encircled energy; the companion's pixels are those across the star."""
    rows, columns = np.indices(image.shape)
    across = ndimage.map_coordinates(image, [2 * y - rows, 2 * x - columns], order=1)
    near = np.hypot(columns - COMPANION[0], rows - COMPANION[1]) * SURVEY.pixel_scale < SAME
    image = np.where(near, across, image)
    radius = np.hypot(columns - x, rows - y) * SURVEY.pixel_scale
    image = image - image[(radius > 1.5) & (radius < 1.9)].mean()
    apertures = [CircularAperture((x, y), limit / SURVEY.pixel_scale) for limit in RADII]
    light = np.array([aperture.do_photometry(image)[0][0] for aperture in apertures])
    return light / light[-1]


def print_psf(frames: Path) -> None:
    """Print FWHM and encircled energy of the star and of its simulation at the same place."""
    radii = " | ".join(f'{radius:.2f}"' for radius in RADII[:-1])
    print(f"\n| | | FWHM | {radii} |\n|---|---|---|---|---|---|---|")
    for number, image in enumerate(read_frame(frames / STAR)):
        rows, columns = np.indices(image.shape)
        center = image.shape[0] / 2
        core = np.where(np.hypot(rows - center, columns - center) < 8, image, 0)
        y, x = np.unravel_index(core.argmax(), core.shape)
        at_x, at_y, _ = fit_gaussian(image, float(x), float(y))
        star = simulated_star(number, at_x, at_y, image.shape[0])
        for name, picture in (("a star", image), ("simulated", star)):
            fwhm = fit_gaussian(picture, at_x, at_y)[2]
            shares = " | ".join(f"{share:.3f}" for share in growth(picture, at_x, at_y)[:-1])
            print(f"| {BANDS[number]} | {name} | {fwhm:.3f} | {shares} |")


def find_sources(images: Array) -> Sources:
    """Detect sources in F160W, and measure them in their segments."""
    noise = frame_noise(images)[:, 0]
    sky = sky_pixels(images)
    images = images - np.array([np.median(image[sky]) for image in images])[:, None, None]
    smooth = ndimage.gaussian_filter(images[0], 1.0)
    found = detect_sources(smooth, 2 * noise[0], n_pixels=12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = deblend_sources(smooth, found, n_pixels=12, contrast=0.01, progress_bar=False)
    labels = found.data
    height, width = labels.shape
    rows: list[tuple[float, Array, float]] = []
    values = []
    for label in range(1, labels.max() + 1):
        own = labels == label
        y, x = np.nonzero(own)
        if y.min() < 2 or x.min() < 2 or y.max() > height - 3 or x.max() > width - 3:
            continue
        flux = images[:, own].sum(axis=1)
        if flux[0] <= 0 or images[0][own].max() > 5:  # bright stars
            continue
        faintest = noise * np.sqrt(own.sum())  # what is not seen is at its noise
        mags = ZERO_POINTS - 2.5 * np.log10(np.maximum(flux, faintest))
        rows.append((mags[0], mags[1:] - mags[0], _half_light(images[0], own)))
        if MAGNITUDES[1][0] < mags[0] < FAINTEST:
            values.append(images[:, own] / noise[:, None])
    return Sources(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]).reshape(-1, len(BANDS) - 1),
        np.array([row[2] for row in rows]),
        np.concatenate([np.zeros((len(BANDS), 0)), *values], axis=1),
    )


def _half_light(image: Array, own: NDArray[np.bool_]) -> float:
    """Radius, in arcsec, of half the segment's light."""
    y, x = np.nonzero(own)
    light = np.maximum(image[own], 0)
    radius = np.hypot(x - (light @ x) / light.sum(), y - (light @ y) / light.sum())
    order = np.argsort(radius)
    grown = np.cumsum(light[order]) / light.sum()
    return float(np.interp(0.5, grown, radius[order]) * SURVEY.pixel_scale)


def merged(parts: Sequence[Sources]) -> Sources:
    """Join the sources of several images."""
    return Sources(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("mags", "colors", "radii")
        ),
        np.concatenate([part.values for part in parts], axis=1),
    )


def spread(values: Array, digits: int = 2) -> str:
    """Write the median, and the 16th and 84th percentile."""
    low, middle, high = np.percentile(values, (16, 50, 84))
    return f"{middle:.{digits}f} ({low:.{digits}f}, {high:.{digits}f})"


def print_sources(real: Sources, simulated: Sources) -> None:
    """Print colours and sizes."""
    names = " | ".join(f"{band} - F160W" for band in BANDS[1:])
    print(f"\n| F160W | | n | {names} | half-light radius |\n|---|---|---|---|---|---|---|")
    for low, high in MAGNITUDES:
        for name, sources in (("real", real), ("simulated", simulated)):
            own = (sources.mags >= low) & (sources.mags < high)
            cells = [spread(color) for color in sources.colors[own].T]
            cells.append(spread(sources.radii[own]))
            print(f"| {low} to {high} | {name} | {own.sum()} | {' | '.join(cells)} |")


def print_values(real: Sources, simulated: Sources) -> None:
    """Print the pixels of sources of middling brightness, in units of the sky's noise."""
    print(f"\n| {' | '.join(['pixels', '', *BANDS])} |\n|---|---|---|---|---|---|")
    for name, sources in (("real", real), ("simulated", simulated)):
        cells = [spread(band, 1) for band in sources.values]
        print(f"| of sources | {name} | {' | '.join(cells)} |")


def print_pixels(real: Sequence[Array], simulated: Sequence[Array]) -> None:
    """Print quantiles of whole frames, in units of the sky's noise."""
    heads = " | ".join(f"{q}%" for q in QUANTILES)
    print(f"\n| whole frames | | {heads} |\n|---|---|{'---|' * len(QUANTILES)}")
    for number, band in enumerate(BANDS):
        for name, frames in (("real", real), ("simulated", simulated)):
            values = []
            for images in frames:
                sky = sky_pixels(images)
                sigma = sky_noise(images[number], sky)[0]
                values.append((images[number] - np.median(images[number][sky])).ravel() / sigma)
            cells = " | ".join(f"{q:.1f}" for q in np.percentile(np.concatenate(values), QUANTILES))
            print(f"| {band} | {name} | {cells} |")


def source_class(result: morpheus.Classification, flux: Array, x: float, y: float) -> Array:
    """Give the light-weighted probabilities of the four classes of source; NaN: not found."""
    left, low = max(0, round(x) - REACH), max(0, round(y) - REACH)
    cut = np.s_[low : round(y) + REACH + 1, left : round(x) + REACH + 1]
    rows, columns = np.indices(flux[cut].shape)
    own = np.hypot(columns + left - x, rows + low - y) <= REACH
    own &= result["background"][cut] < 0.5
    weighted = [(result[c][cut] * flux[cut])[own].sum() for c in CLASS_NAMES[:BACKGROUND]]
    found: Array = np.array(weighted) / (sum(weighted) or np.nan)
    return found


def judge_real(frames: Path, model: str) -> tuple[Array, Array]:
    """Give votes and probabilities of the labelled sources."""

    @cache
    def classified(name: str) -> morpheus.Classification:
        images = {band: frames / name / f"{band.lower()}_sci.fits" for band in BANDS}
        options = morpheus.InferenceOptions(edges="pad")
        return morpheus.classify(images, model=model, options=options)

    votes, found = [], []
    with (frames / "labels.csv").open() as file:
        for row in csv.DictReader(file):
            if float(row["edge_px"]) >= EDGE:
                flux = read_frame(frames / row["frame"])[0]
                place = float(row["x"]), float(row["y"])
                votes.append([float(row[name]) for name in CLASS_NAMES[:BACKGROUND]])
                found.append(source_class(classified(row["frame"]), flux, *place))
    return np.array(votes), np.array(found)


def judge_field(field: morpheus.simulate.SimulatedField, model: str) -> tuple[Array, Array]:
    """Give votes and probabilities of the bright sources of a simulated field."""
    images = dict(zip(BANDS, field.images, strict=True))
    result = morpheus.classify(images, model=model, options="fast")
    table, size = field.catalog, field.options.size
    inside = np.minimum.reduce([table["x"], table["y"], size - table["x"], size - table["y"]])
    table = table[(table["mag_f160w"] < FAINTEST) & (inside > 2 * EDGE)]
    flux = np.nan_to_num(field.images[0]).astype(float)
    found = [source_class(result, flux, row["x"], row["y"]) for row in table]
    votes = np.array([table[f"votes_{name}"] for name in CLASS_NAMES[:BACKGROUND]]).T
    return votes, np.array(found)


def print_confusion(name: str, votes: Array, found: Array) -> None:
    """Print what the network says of the sources of each class of the votes."""
    seen = np.isfinite(found[:, 0])
    votes, found = votes[seen], found[seen]
    # Where the experts are divided equally, either class is the majority's.
    says = found.argmax(axis=1)
    right = votes[np.arange(len(votes)), says] == votes.max(axis=1)
    truth = np.where(right, says, votes.argmax(axis=1))
    table = np.zeros((BACKGROUND, BACKGROUND), int)
    np.add.at(table, (truth, says), 1)
    print(f"\n| {name}: votes, down | {' | '.join(CLASS_NAMES[:BACKGROUND])} | agree |")
    print("|---|---|---|---|---|---|")
    for kind, row in zip(CLASS_NAMES, table, strict=False):
        share = f"{row[CLASS_NAMES.index(kind)] / row.sum():.0%}" if row.sum() else ""
        print(f"| {kind} | {' | '.join(map(str, row))} | {share} |")
    entropy = -(votes * np.log(np.maximum(found, 1e-6))).sum(axis=1).mean()
    clear = votes.max(axis=1) > CLEAR
    print(
        f"\n{name}: {len(votes)} of {len(seen)} found, {right.mean():.0%} agree, cross-entropy"
        f" {entropy:.2f}; {right[clear].mean():.0%} of the {clear.sum()} with more than {CLEAR:.0%}"
        " of the votes for one class."
    )
    shares = " | ".join(f"{share:.0%}" for share in np.bincount(says, minlength=4) / len(says))
    print(f"Classes by the network: {shares}")


def print_votes(frames: Path, seed: int) -> None:
    """Print how real and simulated experts voted, by the class of most votes."""
    names = (*CLASS_NAMES[:BACKGROUND], "unknown")
    with (frames / "goodss_votes.csv").open() as file:
        real = np.array([[float(row[name]) for name in names] for row in csv.DictReader(file)])
    real = real[real[:, -1] < 0.5, :BACKGROUND]
    real /= real.sum(axis=1, keepdims=True)
    drawn = draw_population(SURVEY, 4000, seed=seed, density=DENSITY)
    simulated = np.array([source.votes for source in drawn if source.mag < FAINTEST])
    heads = " | ".join(CLASS_NAMES[:BACKGROUND])
    print(f"\n| most votes | | n | share | votes: {heads} |\n|---|---|---|---|---|---|---|---|")
    for number, kind in enumerate(CLASS_NAMES[:BACKGROUND]):
        for name, votes in (("real", real), ("simulated", simulated)):
            own = votes[votes.argmax(axis=1) == number]
            cells = " | ".join(f"{share:.0%}" for share in own.mean(axis=0))
            print(f"| {kind} | {name} | {len(own)} | {len(own) / len(votes):.0%} | {cells} |")


def main() -> None:
    """Read the command line; measure; print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[71, 72, 73, 74])
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--sky-only", action="store_true", help="leave the network out")
    args = parser.parse_args()
    print_noise(args.frames, args.seeds[0])
    print_psf(args.frames)
    print_votes(args.frames, args.seeds[0])
    real = {
        pattern: merged([find_sources(read_frame(folder)) for folder in args.frames.glob(pattern)])
        for pattern in ("candels_*", "hlf_*", "xdf_*")
    }
    fields = [
        simulate_field(FieldOptions(size=args.size, seed=seed, jobs=2)) for seed in args.seeds
    ]
    simulated = [np.nan_to_num(field.images).astype(float) for field in fields]
    found = merged([find_sources(images) for images in simulated])
    print_sources(merged(list(real.values())), found)
    # The XDF is deeper: its pixels are further above the noise.
    print_values(merged([real["candels_*"], real["hlf_*"]]), found)
    whole = [read_frame(folder) for folder in sorted(args.frames.glob("hlf_*"))]
    print_pixels(whole, simulated)
    if not args.sky_only:
        print_confusion("real", *judge_real(args.frames, args.model))
        judged = [judge_field(field, args.model) for field in fields]
        print_confusion("simulated", *(np.concatenate(part) for part in zip(*judged, strict=True)))


if __name__ == "__main__":
    main()
