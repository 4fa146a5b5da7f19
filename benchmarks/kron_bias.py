"""How much light Kron apertures miss, in a simulated field whose fluxes are known.

`python benchmarks/kron_bias.py [MODEL]` simulates a field of candels-deep without defects, runs the
model (hausen2020; `fast`), and prints a Markdown table of what isolated sources above a signal-to-
noise ratio of 20 are too faint by; docs/catalog.md quotes it.
"""

import argparse

import numpy as np
from scipy.spatial import KDTree

import morpheus
from morpheus.catalog import BandImage
from morpheus.classes import BACKGROUND, CLASSES
from morpheus.evaluate import SourceOutcome, match, measure_detections
from morpheus.mosaic.calibration import Calibration
from morpheus.pipeline import MATCH_RADIUS
from morpheus.pipeline.known import simulated_image
from morpheus.simulate import FieldOptions, simulate_field

ISOLATED = 25.0  # pixels, to the next source that has a twentieth of the flux
FAINTER = 3.25  # magnitudes
BRIGHT = 20.0  # signal-to-noise ratio


def main() -> None:
    """Simulate, measure, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("model", nargs="?", default="hausen2020")
    parser.add_argument("--size", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    image = simulated_image(
        simulate_field(FieldOptions(size=options.size, seed=options.seed, defects=False))
    )
    result = morpheus.classify(image.bands, model=options.model, options="fast")
    found = morpheus.segment(result, image.reference, detection_band=image.reference_band)
    band = BandImage(
        image.reference_band, image.reference, calibration=Calibration(image.zero_point)
    )
    table = morpheus.measure(found, result, [band]).table
    matched = match(image.truth, measure_detections(found.labels, image.reference), MATCH_RADIUS)
    sources = image.truth.sources
    places = np.column_stack([sources["x"], sources["y"]])
    near = KDTree(places).query_ball_point(places, ISOLATED)
    mag = np.asarray(sources["mag"])
    offsets: dict[str, list[float]] = {c.name: [] for c in CLASSES[:BACKGROUND]}
    for row, (outcome, label) in enumerate(
        zip(matched.source_outcomes, matched.labels, strict=True)
    ):
        alone = all(other == row or mag[other] > mag[row] + FAINTER for other in near[row])
        if outcome != SourceOutcome.DETECTED or not alone:
            continue
        measured = table[label - 1]
        if measured["f160w_snr"] > BRIGHT:
            name = CLASSES[int(np.argmax(sources["votes"][row]))].name
            offsets[name].append(float(measured["f160w_mag_kron"]) - mag[row])
    print("| class of most votes | n | median, measured - true (mag) |")
    print("|---|---|---|")
    for name, values in offsets.items():
        print(f"| {name} | {len(values)} | {np.median(values) if values else np.nan:.2f} |")


if __name__ == "__main__":
    main()
