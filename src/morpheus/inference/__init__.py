"""Stage 3: windows -> network -> aggregation -> `Classification`."""

from morpheus.inference.classification import PROBABILITIES, STATISTICS, Classification, ClassMaps
from morpheus.inference.engine import make_engine
from morpheus.inference.options import PRESETS, InferenceOptions, preset
from morpheus.inference.predict import edges_done, predict

__all__ = [
    "PRESETS",
    "PROBABILITIES",
    "STATISTICS",
    "ClassMaps",
    "Classification",
    "InferenceOptions",
    "edges_done",
    "make_engine",
    "predict",
    "preset",
]
