from .chunked import ChunkedField, Execution, run_in_chunks
from .classification import classify
from .detectors import Detector, ModelDetector, baseline
from .evaluation import MATCH_RADIUS, evaluate
from .field import Field, FieldOptions, run
from .film import draw_film
from .injection import Injection, inject
from .injection_options import InjectionOptions
from .known import read_field
from .pictures import draw_stamps
from .recorded import ImageFiles, find_catalog, map_of, read_images
from .release import make_release

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
