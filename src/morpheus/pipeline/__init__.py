"""The stages composed."""

from morpheus.pipeline.classification import classify
from morpheus.pipeline.field import Field, FieldOptions, run, write_catalog
from morpheus.pipeline.recorded import ImageFiles, find_catalog, read_images
from morpheus.pipeline.release import make_release

__all__ = [
    "Field",
    "FieldOptions",
    "ImageFiles",
    "classify",
    "find_catalog",
    "make_release",
    "read_images",
    "run",
    "write_catalog",
]
