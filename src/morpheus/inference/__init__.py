"""Stage 3: windows -> network -> aggregation -> `Classification`."""

from morpheus.inference.classification import PROBABILITIES, STATISTICS, Classification, ClassMaps
from morpheus.inference.engine import make_engine
from morpheus.inference.once import Place
from morpheus.inference.options import PRESETS, InferenceOptions, check_placement, preset
from morpheus.inference.predict import placement, predict

__all__ = [
    "PRESETS",
    "PROBABILITIES",
    "STATISTICS",
    "ClassMaps",
    "Classification",
    "InferenceOptions",
    "Place",
    "check_placement",
    "make_engine",
    "placement",
    "predict",
    "preset",
]
