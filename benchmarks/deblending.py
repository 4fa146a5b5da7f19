"""Deblending against photutils, on a simulated field with known truth.

`python benchmarks/deblending.py` draws a field of 2000 x 2000 pixels with 4,000 exponential disks
and de Vaucouleurs spheroids (sizes and numbers by magnitude as in CANDELS, bright disks with knots
of up to the prominence that was seen in real galaxies, a Gaussian point spread function, noise),
makes class maps of the true signal to noise, and prints a Markdown table. docs/segmentation.md
holds the one that was kept.

All rows deblend the same regions on the same smoothed image. Columns: seconds; labels; share of the
true sources brighter than the limit that have a label of their own, of all whose centre lies in a
region (separated), and of those that share their region with another (in blends); share of the
labels in which no true source lies (pieces). A label belongs to the brightest source in it.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from astropy.stats import sigma_clipped_stats
from astropy.table import Table
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage, deblend_sources
from scipy import ndimage

from morpheus.segmentation.deblend import deblend
from morpheus.segmentation.detect import probability_regions
from morpheus.segmentation.options import DeblendingOptions

ZERO_POINT, NOISE, PSF = 25.946, 0.002, 1.2  # F160W; electrons / s a pixel; pixels
FAINTEST, BRIGHTEST, SLOPE = 27.5, 18.0, 0.3  # magnitudes, and their log-number counts
KNOTS, KNOT_PROMINENCE, KNOTTED = 8, 0.27, 23.5  # in a disk; up to this; brighter than this
SEED, GROW, MIN_AREA, PIXELS_A_SOURCE = 0.6, 0.5, 8, 1000


def make_field(
    size: int, seed: int, pixels_a_source: int = PIXELS_A_SOURCE
) -> tuple[NDArray[np.float32], NDArray[np.float32], Table]:
    """Draw the field: image, P(source), and the true sources."""
    rng = np.random.default_rng(seed)
    n = size**2 // pixels_a_source
    # Numbers that grow tenfold in 1 / SLOPE magnitudes, down to the faintest.
    magnitude = FAINTEST + np.log10(1 - rng.random(n)) / SLOPE
    magnitude = np.maximum(magnitude, BRIGHTEST)
    truth = Table({"x": rng.uniform(0, size - 1, n), "y": rng.uniform(0, size - 1, n)})
    truth["magnitude"] = magnitude
    radius = np.clip(5 * 10 ** (-0.12 * (magnitude - 24)) * rng.lognormal(0, 0.3, n), 1.2, 30)
    disk = rng.random(n) < 0.7
    image = np.zeros((size, size))
    for i in range(n):
        flux = 10 ** (-0.4 * (magnitude[i] - ZERO_POINT))
        draw_galaxy(image, truth[i], flux, radius[i], disk=disk[i], rng=rng)
        if disk[i] and magnitude[i] < KNOTTED:
            place = np.array([[truth["y"][i]], [truth["x"][i]]])
            place = np.rint(place + rng.normal(0, radius[i], (2, KNOTS))).astype(int)
            row, column = place[:, np.all((place >= 0) & (place < size), axis=0)]
            prominence = rng.uniform(0, KNOT_PROMINENCE, row.size)
            # So much above the light of the galaxy when the point spread function is on it.
            image[row, column] *= 1 + prominence / (1 - prominence) * 2 * np.pi * (PSF**2 + 0.8**2)
    image = ndimage.gaussian_filter(image, PSF)
    # What a good network says: half where the smoothed signal is twice the noise.
    signal = ndimage.gaussian_filter(image, 1) / NOISE
    source = 1 / (1 + np.exp(-np.clip(2 * (signal - 2), -30, 30)))
    image += rng.normal(0, NOISE, image.shape)
    return image.astype(np.float32), source.astype(np.float32), truth


def draw_galaxy(
    image: NDArray[np.float64],
    place: Table.Row,
    flux: float,
    radius: float,
    *,
    disk: bool,
    rng: np.random.Generator,
) -> None:
    """Add an ellipse with an exponential or de Vaucouleurs profile."""
    half = int(8 * radius) + 5
    column, row = round(place["x"]), round(place["y"])
    window = tuple(
        slice(max(0, centre - half), min(centre + half + 1, size))
        for centre, size in zip((row, column), image.shape, strict=True)
    )
    y, x = np.mgrid[window]
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.3 if disk else 0.6, 1)
    dx, dy = x - place["x"], y - place["y"]
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / ratio
    # The centre is rounded off by half a pixel, in place of integrating over pixels.
    r = np.sqrt(along**2 + across**2 + 0.25) / radius
    profile = np.exp(-1.678 * r) if disk else np.exp(-7.669 * (r**0.25 - 1))
    image[window] += flux * profile / profile.sum()


def measure(labels: NDArray[np.int32], regions: NDArray[np.int32], truth: Table) -> str:
    """Give the columns that are shares."""
    row, column = (np.rint(truth[axis]).astype(int) for axis in "yx")
    label, region = labels[row, column], regions[row, column]
    order = np.argsort(truth["magnitude"])
    _, first = np.unique(label[order], return_index=True)
    owns = np.zeros(len(truth), bool)
    owns[order[first]] = True
    owns &= label > 0
    wanted = (truth["magnitude"] < args.limit) & (region > 0)
    counts = np.bincount(region[truth["magnitude"] < args.limit])
    blended = wanted & (counts[np.minimum(region, len(counts) - 1)] > 1)
    n = np.unique(labels[labels > 0]).size
    pieces = 1 - np.unique(label[label > 0]).size / n
    return (
        f"{n:,} | {owns[wanted].mean():.1%} of {wanted.sum():,} |"
        f" {owns[blended].mean():.1%} of {blended.sum():,} | {pieces:.1%}"
    )


def run() -> None:
    """Simulate, deblend, print."""
    image, source, truth = make_field(args.size, args.seed)
    valid = np.ones(image.shape, bool)
    regions = probability_regions(source, valid, seed=SEED, grow=GROW, min_area=MIN_AREA)
    smooth = ndimage.gaussian_filter(image, DeblendingOptions().smoothing)
    _, level, noise = sigma_clipped_stats(smooth[regions == 0])
    smooth -= level

    def ours(**options: float) -> Callable[[], NDArray[np.int32]]:
        return lambda: deblend(
            regions,
            smooth,
            noise=float(noise),
            irregular=np.zeros_like(smooth),
            connectivity=2,
            min_area=MIN_AREA,
            options=DeblendingOptions(**options),
        )

    def photutils(contrast: float) -> Callable[[], NDArray[np.int32]]:
        return lambda: (
            deblend_sources(
                smooth,
                SegmentationImage(regions),
                n_pixels=MIN_AREA,
                contrast=contrast,
                connectivity=8,
                progress_bar=False,
            ).data
        )

    rows = {
        "regions, not deblended": lambda: regions,
        "Morpheus": ours(),
        "Morpheus, prominence 0.1": ours(prominence=0.1),
        **{f"photutils, contrast {c:g}": photutils(c) for c in (0.001, 0.005)},
    }
    print(f"{len(truth):,} true sources, {regions.max():,} regions; limit {args.limit:g} mag\n")
    print("| | seconds | labels | separated | in blends | pieces |")
    print("|---|---|---|---|---|---|")
    for name, method in rows.items():
        start = time.perf_counter()
        labels = method()
        seconds = time.perf_counter() - start
        print(f"| {name} | {seconds:.1f} | {measure(labels, regions, truth)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=2000, help="side of the field in pixels")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    parser.add_argument("--limit", type=float, default=26.0, help="magnitude of the completeness")
    args = parser.parse_args()
    run()
