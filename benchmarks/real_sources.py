"""Segmentation of real frames with labelled galaxies, beside SExtractor and photutils.

`python benchmarks/real_sources.py FRAMES MODEL` takes a folder of frames, each a folder with
`<band>_sci.fits` and perhaps `segmap.fits` (by SExtractor), and `labels.csv` with the columns
frame, x, y, edge_px and id; and the published network, installed or a folder. It classifies them
with `edges="pad"` and prints two Markdown tables. Of each labelled source, 8 pixels or more from an
edge: its label, area and class, and the intersection over union of the source in the middle with
SExtractor's. Of each way of deblending the same regions: how many labelled galaxies have a label of
their own, the least share of a galaxy's H flux that its label holds, and the mean intersection over
union. docs/segmentation.md holds what was kept. The defaults were chosen on these frames.
"""

import argparse
import csv
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from numpy.typing import NDArray
from photutils.segmentation import SegmentationImage, deblend_sources
from scipy import ndimage

import morpheus
from morpheus.segmentation import DeblendingOptions

BANDS = ("F160W", "F125W", "F606W", "F850LP")
EDGE, MIN_AREA = 8, 8
Labels = NDArray[np.integer]


def overlap(labels: Labels, segmap: Labels) -> float:
    """Give the intersection over union of the sources in the middle."""
    centre = labels.shape[0] // 2, labels.shape[1] // 2
    ours, theirs = labels == labels[centre], segmap == segmap[centre]
    return float((ours & theirs).sum() / (ours | theirs).sum()) if labels[centre] else 0.0


def by_morpheus(**options: float) -> Callable[[morpheus.Classification, NDArray], Labels]:
    """Deblend with these options."""
    chosen = morpheus.SegmentationOptions(deblending=DeblendingOptions(**options))
    return lambda maps, flux: morpheus.segment(maps, flux, options=chosen).labels


def not_at_all(maps: morpheus.Classification, flux: NDArray) -> Labels:
    """Leave the regions as they are."""
    return morpheus.segment(maps, flux, options=morpheus.SegmentationOptions(deblend=False)).labels


def by_photutils(contrast: float) -> Callable[[morpheus.Classification, NDArray], Labels]:
    """Deblend the same regions of the same smoothed image."""

    def deblend(maps: morpheus.Classification, flux: NDArray) -> Labels:
        regions = not_at_all(maps, flux)
        _, level, _ = sigma_clipped_stats(flux[regions == 0] if (regions == 0).any() else flux)
        smooth = ndimage.gaussian_filter(flux - level, DeblendingOptions().smoothing)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return deblend_sources(
                smooth,
                SegmentationImage(regions),
                n_pixels=MIN_AREA,
                contrast=contrast,
                progress_bar=False,
            ).data

    return deblend


METHODS = {
    "regions, not deblended": not_at_all,
    "Morpheus": by_morpheus(),
    "Morpheus, prominence 0.1": by_morpheus(prominence=0.1),
    "photutils, contrast 0.001": by_photutils(0.001),
    "photutils, contrast 0.005": by_photutils(0.005),
}


def read_labels(path: Path) -> dict[str, list[tuple[str, tuple[int, int]]]]:
    """Read identifier and pixel (y, x) of the labelled sources by frame."""
    places: dict[str, list[tuple[str, tuple[int, int]]]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            if float(row["edge_px"]) >= EDGE:
                place = round(float(row["y"])), round(float(row["x"]))
                places.setdefault(row["frame"], []).append((row["id"], place))
    return places


def main() -> None:
    """Read the command line; classify; print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("model")
    args = parser.parse_args()
    found = {}
    print("| frame | source | label | pixels | class | IoU |\n|---|---|---|---|---|---|")
    for name, places in read_labels(args.frames / "labels.csv").items():
        folder = args.frames / name
        images = {band: folder / f"{band.lower()}_sci.fits" for band in BANDS}
        options = morpheus.InferenceOptions(edges="pad")
        maps = morpheus.classify(images, model=args.model, options=options)
        flux = fits.getdata(images[BANDS[0]]).astype(float)
        segmap = folder / "segmap.fits"
        theirs = fits.getdata(segmap) if segmap.exists() else None
        found[name] = maps, flux, theirs, places
        sources = morpheus.segment(maps, flux, detection_band=BANDS[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bands = morpheus.read_band_images(images, bands=BANDS)
            table = morpheus.measure(sources, maps, bands).table
        middle = sources.labels[flux.shape[0] // 2, flux.shape[1] // 2]
        for source, place in places:
            label = sources.labels[place]
            central = theirs is not None and label == middle
            shown = f"{overlap(sources.labels, theirs):.2f}" if central else ""
            row = table[label - 1]
            print(f"| {name} | {source} | {label} | {row['area']} | {row['class']} | {shown} |")
    print("\n| | labels | with a label of their own | least share of light | mean IoU |")
    print("|---|---|---|---|---|")
    for name, method in METHODS.items():
        print(f"| {name} | {compare(method, found)} |", flush=True)


def compare(method: Callable[..., Labels], found: dict[str, tuple]) -> str:
    """Give the columns of a way of deblending."""
    n = own = 0
    shares, overlaps = [], []
    for maps, flux, theirs, places in found.values():
        labels = method(maps, flux)
        n += np.unique(labels[labels > 0]).size
        at = [int(labels[place]) for _, place in places]
        own += sum(label > 0 and at.count(label) == 1 for label in at)
        if theirs is None:
            continue
        overlaps.append(overlap(labels, theirs))
        for label, (_, place) in zip(at, places, strict=True):
            inside = (theirs == theirs[place]) & (theirs > 0) & (labels > 0)
            if label and inside.any():
                # A galaxy that shares SExtractor's segment with another is no galaxy in pieces.
                others = [one for one in at if one != label]
                inside &= ~np.isin(labels, others)
                shares.append(flux[inside & (labels == label)].sum() / flux[inside].sum())
    return f"{n} | {own} | {min(shares):.2f} | {np.mean(overlaps):.2f}"


if __name__ == "__main__":
    main()
