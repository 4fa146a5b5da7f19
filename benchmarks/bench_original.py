"""The original program beside this one: the same images, one run, time and results.

The original needs an environment of its own, with an old TensorFlow (Python 3.11 at the latest):

    python3.11 -m venv original
    original/bin/pip install tensorflow-cpu==2.15.1 "numpy<2" astropy colorama imageio matplotlib \
        scikit-image scipy tqdm
    original/bin/pip install --no-deps morpheus-astro==0.5.1
    .venv/bin/python benchmarks/bench_original.py original/bin/python

Three names that NumPy and scikit-image have removed since are put back; otherwise it runs as it is
published. Its time is that of `Classifier.classify` alone, without importing TensorFlow; ours is
that of the whole command, start-up included.
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

from morpheus import Classification
from morpheus.simulate import FieldOptions, image_header, simulate_field

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
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("python", help="interpreter of the environment with the original")
    parser.add_argument("--size", type=int, default=240, help="side of the image in pixels")
    arguments = parser.parse_args()
    size = arguments.size
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # Without defects: the original does not know NaN.
        field = simulate_field(FieldOptions(size=size, seed=5, density=400, defects=False))
        images, paths = field.images, []
        for band, image in zip(field.survey.bands, images, strict=True):
            paths.append(folder / f"{band.name}.fits")
            fits.writeto(paths[-1], image, image_header(field, band))
        np.save(folder / "in.npy", images)
        command = [arguments.python, "-c", ORIGINAL, folder / "in.npy", folder / "original.npz"]
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        n = (size - 39) ** 2
        line = next(x for x in done.stdout.splitlines() if x.startswith("seconds"))
        original = float(line.split()[1])
        print(f"| {n:,} windows | s | ms a window position | times the original |")
        print("|---|---|---|---|")
        print(f"| original, `both` | {original:.1f} | {original / n * 1e3:.3f} | 1 |")
        reference = np.load(folder / "original.npz")
        for preset in ("exact", "fast"):
            out = folder / preset
            program = "from morpheus.cli import main; main()"
            command = [sys.executable, "-c", program, "classify", "-m", "hausen2020", "-q"]
            start = time.perf_counter()
            subprocess.run(
                [*command, "--preset", preset, *map(str, paths), "-o", str(out)], check=True
            )
            wall = time.perf_counter() - start
            print(f"| {preset} | {wall:.1f} | {wall / n * 1e3:.3f} | {original / wall:.1f} |")
        compare(Classification.read(folder / "exact"), reference)


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
