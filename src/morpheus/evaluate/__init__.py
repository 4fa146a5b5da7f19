"""How good a detector is: arrays and tables in, numbers and figures out."""

from morpheus.evaluate.detections import Detections, measure_detections
from morpheus.evaluate.evaluation import Evaluation, Example, Result
from morpheus.evaluate.images import KnownImage
from morpheus.evaluate.matching import LabelOutcome, Match, SourceOutcome, match
from morpheus.evaluate.sample import Sample, compare
from morpheus.evaluate.scores import score
from morpheus.evaluate.truth import SOURCE_CLASSES, Truth, read_labels, truth_of_field

__all__ = [
    "SOURCE_CLASSES",
    "Detections",
    "Evaluation",
    "Example",
    "KnownImage",
    "LabelOutcome",
    "Match",
    "Result",
    "Sample",
    "SourceOutcome",
    "Truth",
    "compare",
    "match",
    "measure_detections",
    "read_labels",
    "score",
    "truth_of_field",
]
