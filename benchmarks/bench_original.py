"""The original program beside this one: the same images, one run, time and results.

The original needs an environment of its own, with an old TensorFlow (Python 3.11 at the latest):

    python3.11 -m venv original
    original/bin/pip install tensorflow-cpu==2.15.1 "numpy<2" astropy colorama imageio matplotlib \
        scikit-image scipy tqdm
    original/bin/pip install --no-deps morpheus-astro==0.5.1
    .venv/bin/python benchmarks/bench_original.py original/bin/python

Three names that NumPy and scikit-image have removed since are put back; otherwise it runs as it is
published. Its time is that of `Classifier.classify` alone, without importing TensorFlow; ours is
that of the whole command, start-up included. Ours are run on larger images too, on which start-up
weighs as little as it does for users, and compared by the time for a pixel; "everything" is
`morpheus run` with weight maps: class maps, sources, catalogue, pictures.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

import bench_scale
from bench_classify import processor_name
from morpheus import Classification
from morpheus.inference.engine import available_threads
from morpheus.simulate import FieldOptions, image_header, simulate_field

BANDS = ("F160W", "F125W", "F606W", "F850LP")
PROGRAM = "from morpheus.cli import main; main()"
LARGE, HALF = 4096, 0.5  # pixels, from which the frame that is not classified does not count
ORIGINAL = """
import sys, time
import numpy as np, skimage.morphology, skimage.segmentation
np.bool, np.int = bool, int
skimage.morphology.watershed = skimage.segmentation.watershed
import tensorflow.compat.v1 as tf
tf.disable_eager_execution()
from morpheus.classifier import Classifier
images = np.load(sys.argv[1])
h, j, v, z = (np.ascontiguousarray(image) for image in images)
start = time.perf_counter()
result = Classifier.classify(h=h, j=j, v=v, z=z, out_type="both")
print("seconds", time.perf_counter() - start)
np.savez(sys.argv[2], **{k: np.asarray(a) for k, a in result.items()})
"""


def main() -> None:
    """Run all and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("python", help="interpreter of the environment with the original")
    parser.add_argument("--size", type=int, default=240, help="side of the image for the original")
    parser.add_argument("--exact", type=int, default=480, help="of that for exact mode")
    parser.add_argument("--fast", type=int, default=1440, help="of that for `fast`")
    parser.add_argument("--large", type=int, default=8192, help="of that for the default model")
    parser.add_argument("--folder", type=Path, help="where tiles are kept for another time")
    arguments = parser.parse_args()
    print(f"{processor_name()}, {available_threads()} cores\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        small = write_field(folder / "small", arguments.size)
        original = run_original(arguments.python, folder, small, arguments.size)
        print("| | pixels | s | ms a pixel | times the original |")
        print("|---|---|---|---|---|")
        row("original, `both`", arguments.size, original, original / (arguments.size - 39) ** 2)
        for preset in ("exact", "fast"):
            seconds = classify(small, folder / preset, preset)
            row(f"{preset}, the same image", arguments.size, seconds, unit(original, arguments))
        for preset in ("exact", "fast"):
            size = getattr(arguments, preset)
            paths = write_field(folder / f"{preset}-images", size)
            seconds = classify(paths, folder / f"{preset}-large", preset)
            row(f"{preset}, larger", size, seconds, unit(original, arguments))
        default_model(arguments, folder, unit(original, arguments))
        reference = np.load(folder / "original.npz")
        compare(Classification.read(folder / "exact"), reference)
        again = classify(
            write_field(folder / "exact-images", arguments.exact), folder / "again", "fast"
        )
        print(f"\n`fast` on the image of exact mode: {again:.1f} s;", end=" ")
        masks(*(Classification.read(folder / name) for name in ("exact-large", "again")))


def unit(original: float, arguments: argparse.Namespace) -> float:
    """Seconds of the original for a position of its window, of which there is one a pixel."""
    return original / (arguments.size - 39) ** 2


def row(name: str, size: int, seconds: float, original: float) -> None:
    """Print a line of the table."""
    n = (size - 39) ** 2 if size < LARGE else size**2
    times = original / (seconds / n)
    print(
        f"| {name} | {size:,} x {size:,} | {seconds:.1f} | {seconds / n * 1e3:.5f} | {times:,.1f} |"
    )


def write_field(folder: Path, size: int) -> list[Path]:
    """Simulate a field without defects: the original does not know NaN."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{band}.fits" for band in BANDS]
    if not all(path.exists() for path in paths):
        field = simulate_field(FieldOptions(size=size, seed=5, density=400, defects=False))
        for band, image in zip(field.survey.bands, field.images, strict=True):
            if band.name in BANDS:
                path = folder / f"{band.name}.fits"
                fits.writeto(path, image, image_header(field, band), overwrite=True)
    return paths


def run_original(python: str, folder: Path, paths: list[Path], size: int) -> float:
    """Run the original; give its seconds."""
    np.save(folder / "in.npy", np.stack([fits.getdata(path) for path in paths]).astype(np.float32))
    command = [python, "-c", ORIGINAL, folder / "in.npy", folder / "original.npz"]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    line = next(x for x in done.stdout.splitlines() if x.startswith("seconds"))
    print(f"the original's image has {size} x {size} pixels", file=sys.stderr)
    return float(line.split()[1])


def classify(paths: list[Path], output: Path, preset: str) -> float:
    """Run `morpheus classify` with the published network; give its seconds, start-up included."""
    command = [sys.executable, "-c", PROGRAM, "classify", "-m", "hausen2020", "-q"]
    start = time.perf_counter()
    options = ["--preset", preset, "-o", str(output), "--overwrite"]
    subprocess.run([*command, *map(str, paths), *options], check=True)
    return time.perf_counter() - start


def default_model(arguments: argparse.Namespace, folder: Path, original: float) -> None:
    """Run everything with the default model on a large field."""
    tiles = folder if arguments.folder is None else arguments.folder
    tiles.mkdir(exist_ok=True)
    bench_scale.simulate_tiles(tiles, 16, 150.0)
    field = bench_scale.make_field(tiles, arguments.large, 150.0, 16)
    done = bench_scale.run(field["arguments"], folder / "default")
    row("default model, classification", arguments.large, bench_scale.classifying(done), original)
    row("default model, everything", arguments.large, done.seconds, original)


def masks(exact: Classification, fast: Classification) -> None:
    """Say how well the pixels of sources agree."""
    source = [one["background"] < HALF for one in (exact, fast)]
    both, either = np.logical_and(*source).sum(), np.logical_or(*source).sum()
    print(f"IoU of the pixels with P(background) < 0.5: {both / either:.4f}")


def compare(result: Classification, reference: "np.lib.npyio.NpzFile") -> None:
    """Say how the exact result differs from the original's."""
    seen = result.n > 0
    print(
        f"\nn differs in {int((result.n != reference['n']).sum())} pixels; largest differences:\n"
    )
    print("| class | mean | variance | pixels whose votes differ |")
    print("|---|---|---|---|")
    for name in result.classes:
        mean, variance = (
            np.abs(maps[name] - reference[f"{name}_{key}"])[seen].max()
            for maps, key in ((result.mean, "mean"), (result.variance, "var"))
        )
        votes = np.abs(result.votes[name] - reference[name])[seen] > 1e-6
        print(f"| {name} | {mean:.1e} | {variance:.1e} | {int(votes.sum())} of {seen.sum()} |")


if __name__ == "__main__":
    main()
