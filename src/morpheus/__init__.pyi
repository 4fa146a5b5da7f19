from .catalog import Catalog, CatalogOptions, measure, read_band_images
from .errors import MorpheusError
from .inference import Classification, InferenceOptions
from .mosaic import Mosaic, read_mosaic
from .pipeline import FieldOptions, classify, run
from .segmentation import Segmentation, SegmentationOptions, segment
from .visual import colorize, lupton_rgb

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
    "classify",
    "colorize",
    "lupton_rgb",
    "measure",
    "read_band_images",
    "read_mosaic",
    "run",
    "segment",
]

__version__: str
