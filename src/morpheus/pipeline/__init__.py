"""The stages composed."""

from morpheus.distributed.execution import Execution
from morpheus.pipeline.chunked import ChunkedField, run_in_chunks
from morpheus.pipeline.classification import classify
from morpheus.pipeline.detectors import Detector, ModelDetector, baseline
from morpheus.pipeline.evaluation import MATCH_RADIUS, evaluate
from morpheus.pipeline.field import Field, FieldOptions, draw_stamps, run
from morpheus.pipeline.film import draw_film
from morpheus.pipeline.injection import Injection, InjectionOptions, inject
from morpheus.pipeline.known import read_field
from morpheus.pipeline.recorded import ImageFiles, find_catalog, map_of, read_images
from morpheus.pipeline.release import make_release

__all__ = [
    "MATCH_RADIUS",
    "ChunkedField",
    "Detector",
    "Execution",
    "Field",
    "FieldOptions",
    "ImageFiles",
    "Injection",
    "InjectionOptions",
    "ModelDetector",
    "baseline",
    "classify",
    "draw_film",
    "draw_stamps",
    "evaluate",
    "find_catalog",
    "inject",
    "make_release",
    "map_of",
    "read_field",
    "read_images",
    "run",
    "run_in_chunks",
]
