"""The stages composed."""

from morpheus.pipeline.classification import classify
from morpheus.pipeline.field import Field, FieldOptions, draw_stamps, run
from morpheus.pipeline.recorded import ImageFiles, find_catalog, map_of, read_images
from morpheus.pipeline.release import make_release

__all__ = [
    "Field",
    "FieldOptions",
    "ImageFiles",
    "classify",
    "draw_stamps",
    "find_catalog",
    "make_release",
    "map_of",
    "read_images",
    "run",
]
