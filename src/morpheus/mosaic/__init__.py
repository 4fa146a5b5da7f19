"""Pixels in: FITS files, HDUs and arrays become a `Mosaic`."""

from morpheus.errors import MosaicWarning
from morpheus.mosaic.mosaic import InputRecord, Mosaic
from morpheus.mosaic.read import read_mosaic
from morpheus.mosaic.region import Region, parse_region
from morpheus.mosaic.units import same_unit

__all__ = [
    "InputRecord",
    "Mosaic",
    "MosaicWarning",
    "Region",
    "parse_region",
    "read_mosaic",
    "same_unit",
]
