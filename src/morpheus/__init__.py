"""Pixel-level morphological classification of astronomical images.

`classify` is the main entry; it and its companions are imported when they are first used, so that
`import morpheus` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from morpheus.provenance import morpheus_version

if TYPE_CHECKING:
    from morpheus.catalog import Catalog, CatalogOptions, measure, read_band_images
    from morpheus.errors import MorpheusError
    from morpheus.inference import Classification, InferenceOptions
    from morpheus.mosaic import Mosaic, read_mosaic
    from morpheus.pipeline import FieldOptions, classify, run
    from morpheus.segmentation import Segmentation, SegmentationOptions, segment
    from morpheus.visual import colorize, lupton_rgb

_HOMES = {
    "Catalog": "morpheus.catalog",
    "CatalogOptions": "morpheus.catalog",
    "Classification": "morpheus.inference",
    "FieldOptions": "morpheus.pipeline",
    "InferenceOptions": "morpheus.inference",
    "MorpheusError": "morpheus.errors",
    "Mosaic": "morpheus.mosaic",
    "Segmentation": "morpheus.segmentation",
    "SegmentationOptions": "morpheus.segmentation",
    "classify": "morpheus.pipeline",
    "colorize": "morpheus.visual",
    "lupton_rgb": "morpheus.visual",
    "measure": "morpheus.catalog",
    "read_band_images": "morpheus.catalog",
    "read_mosaic": "morpheus.mosaic",
    "run": "morpheus.pipeline",
    "segment": "morpheus.segmentation",
}

__all__ = [
    "Catalog",
    "CatalogOptions",
    "Classification",
    "FieldOptions",
    "InferenceOptions",
    "MorpheusError",
    "Mosaic",
    "Segmentation",
    "SegmentationOptions",
    "__version__",
    "classify",
    "colorize",
    "lupton_rgb",
    "measure",
    "read_band_images",
    "read_mosaic",
    "run",
    "segment",
]

__version__ = morpheus_version()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'morpheus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
