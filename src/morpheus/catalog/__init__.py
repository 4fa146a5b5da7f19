"""Labels in, a table out: classes, photometry and shapes of every source."""

from morpheus.catalog.catalog import Catalog
from morpheus.catalog.images import BandImage, check_grid, read_band_images
from morpheus.catalog.measure import measure
from morpheus.catalog.options import CatalogOptions
from morpheus.catalog.schema import Column, catalog_columns, catalog_reference

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
