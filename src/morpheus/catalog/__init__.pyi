from .catalog import Catalog
from .images import BandImage, check_grid, read_band_images
from .measurement import measure
from .options import CatalogOptions
from .schema import Column, catalog_columns, catalog_reference

__all__ = [
    "BandImage",
    "Catalog",
    "CatalogOptions",
    "Column",
    "catalog_columns",
    "catalog_reference",
    "check_grid",
    "measure",
    "read_band_images",
]
