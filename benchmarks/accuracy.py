"""What the approximations cost: every spacing and precision against exact mode.

`python benchmarks/accuracy.py FRAME...` classifies frames (folders with `<band>_sci.fits`; the
demo's field by default) with windows at every pixel in float32, and then with fewer windows or in
bfloat16, and prints a Markdown table over all frames; docs/accuracy.md holds the one that was kept.

Columns: windows evaluated, relative to exact mode; intersection over union of the source masks
(mean P(background) < 0.5), over all frames and of the worst frame; share of the pixels that are
source in both to which the same class of source is given; root mean square and maximum difference
of the mean probabilities.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from morpheus import Classification, InferenceOptions, classify
from morpheus.classes import BACKGROUND
from morpheus.inference.options import LATTICE_SHEAR
from morpheus.inference.windows import WindowPlan
from morpheus.model import find_model, load_model

ROOT = Path(__file__).parents[1]
BANDS = ("F160W", "F125W", "F606W", "F850LP")
EXACT = InferenceOptions()
VARIANTS = {
    "every pixel, bfloat16": replace(EXACT, precision="auto"),
    **{f"square grid, stride {s}": InferenceOptions(stride=s) for s in (2, 3, 4, 5)},
    **{f"lattice {s}": InferenceOptions(stride=s, lattice=True) for s in LATTICE_SHEAR},
    "`fast`: lattice 3, bfloat16": InferenceOptions(stride=3, lattice=True, precision="auto"),
}


@dataclass
class Comparison:
    """Counts over all frames, of one variant against exact mode."""

    windows: int = 0
    both: int = 0
    either: int = 0
    same_class: int = 0
    squares: float = 0.0
    values: int = 0
    maximum: float = 0.0
    worst_overlap: float = 1.0

    def add(self, exact: Classification, found: Classification, windows: int) -> None:
        """Compare the classifications of one frame."""
        seen = exact.n > 0
        a, b = exact.mean.array[:, seen], found.mean.array[:, seen]
        source_a, source_b = a[BACKGROUND] < 0.5, b[BACKGROUND] < 0.5
        both = source_a & source_b
        either = source_a | source_b
        self.windows += windows
        self.both += int(both.sum())
        self.either += int(either.sum())
        same = a[:BACKGROUND].argmax(axis=0) == b[:BACKGROUND].argmax(axis=0)
        self.same_class += int(same[both].sum())
        difference = np.abs(a.astype(float) - b)
        self.squares += float((difference**2).sum())
        self.values += difference.size
        self.maximum = max(self.maximum, float(difference.max()))
        self.worst_overlap = min(self.worst_overlap, float(both.sum() / either.sum()))


def run(frames: list[Path]) -> None:
    """Classify, compare, print."""
    recipe = load_model(find_model("hausen2020")).config.window
    comparisons = {name: Comparison() for name in VARIANTS}
    exact_windows = 0
    for frame in frames:
        images = {band: next(frame.glob(f"{band.lower()}_sci.fits*")) for band in BANDS}
        exact = classify(images, model="hausen2020", options=EXACT)
        exact_windows += WindowPlan(*exact.shape, recipe).n_windows()
        for name, options in VARIANTS.items():
            found = classify(images, model="hausen2020", options=options)
            plan = WindowPlan(*exact.shape, recipe, options.stride, options.lattice)
            comparisons[name].add(exact, found, plan.n_windows())
    print(f"{len(frames)} frames, {exact_windows:,} windows in exact mode\n")
    print("| | windows | IoU | IoU, worst frame | same class | rms difference | maximum |")
    print("|---|---|---|---|---|---|---|")
    for name, c in comparisons.items():
        print(
            f"| {name} | 1/{exact_windows / c.windows:.1f} | {c.both / c.either:.4f} |"
            f" {c.worst_overlap:.4f} | {c.same_class / c.both:.4f} |"
            f" {np.sqrt(c.squares / c.values):.4f} | {c.maximum:.3f} |"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("frames", nargs="*", type=Path, help="folders with <band>_sci.fits")
    frames = parser.parse_args().frames
    run(frames or [ROOT / "demo/field"])


if __name__ == "__main__":
    main()
