"""What it costs to go from class maps to a catalogue, by the size of the field.

`python benchmarks/bench_catalog.py` simulates fields of 1,000 x 1,000 pixels and about 1,000
detected sources, and two, four and eight times that many (`deblending.py` draws them), and measures
in a process of its own for each: segmentation and deblending, the catalogue in four bands with
weight maps (segmented, Kron and two aperture fluxes, half-light radius, shapes, classes), writing
it as FITS, and the largest memory that the process held beyond what it held with its inputs. It
prints a Markdown table; docs/performance.md holds the one that was kept.
"""

import argparse
import math
import multiprocessing
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from deblending import NOISE, make_field
from morpheus.catalog import BandImage, measure
from morpheus.classes import CLASS_NAMES
from morpheus.inference import Classification, ClassMaps
from morpheus.segmentation import segment

BANDS = {"F160W": 1.0, "F125W": 0.9, "F850LP": 0.6, "F606W": 0.35}
PIXELS_A_SOURCE = 780  # of the true ones, not all of which are detected
SHARES = (0.3, 0.5, 0.15, 0.05)


def inputs(size: int, seed: int) -> tuple[Classification, list[BandImage]]:
    """Simulate the class maps and images of a field."""
    image, source, _ = make_field(size, seed, PIXELS_A_SOURCE)
    rng = np.random.default_rng(seed)
    maps = np.stack([*(share * source for share in SHARES), 1 - source]).astype(np.float32)
    error = np.full(image.shape, NOISE, np.float32)
    bands = [
        BandImage(
            band,
            (color * image + NOISE * rng.standard_normal(image.shape)).astype(np.float32),
            error=np.float32(math.hypot(color, 1)) * error,
            mask=np.zeros(image.shape, bool),
            unit="electron / s",
        )
        for band, color in BANDS.items()
    ]
    classification = Classification(
        mean=ClassMaps(CLASS_NAMES, maps),
        variance=ClassMaps(CLASS_NAMES, 0.1 * maps * (1 - maps)),
        votes=ClassMaps(CLASS_NAMES, maps),
        n=np.ones(image.shape, np.uint32),
        mask=np.zeros(image.shape, bool),
    )
    return classification, bands


def memory(entry: str) -> float:
    """Give an entry of the process's status (Linux): VmRSS is what it holds, VmHWM the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{entry}:"):
            return 1024 * float(line.split()[1])
    raise KeyError(entry)


def row(size: int, seed: int) -> str:
    """Measure one field."""
    classification, bands = inputs(size, seed)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    times = [time.perf_counter()]
    found = segment(classification, bands[0].data, detection_band="F160W")
    times.append(time.perf_counter())
    catalog = measure(found, classification, bands)
    times.append(time.perf_counter())
    with tempfile.TemporaryDirectory() as folder:
        catalog.write(Path(folder) / "catalog.fits")
    times.append(time.perf_counter())
    seconds = np.diff(times)
    most = (memory("VmHWM") - before) / size**2
    return (
        f"| {size:,} x {size:,} | {len(catalog):,} | {seconds[0]:.1f} | {seconds[1]:.1f} |"
        f" {seconds[2]:.1f} | {seconds.sum():.1f} | {1e3 * seconds.sum() / len(catalog):.1f} |"
        f" {most:.0f} |"
    )


def main() -> None:
    """Read the command line; measure; print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 1414, 2000, 2828])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {multiprocessing.cpu_count()} cores\n")
    print(
        "| pixels | sources | segmentation (s) | catalogue, 4 bands (s) | FITS (s) | together (s) |"
        " ms per source | memory, bytes per pixel |"
    )
    print("|---|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for size in args.sizes:
        with context.Pool(1) as pool:
            print(pool.apply(row, (size, args.seed)), flush=True)


if __name__ == "__main__":
    main()
