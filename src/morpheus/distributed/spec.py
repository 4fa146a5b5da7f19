"""What every task of a run needs to know."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from morpheus.catalog import CatalogOptions
from morpheus.distributed.chunks import ChunkGrid
from morpheus.errors import OptionError
from morpheus.inference import InferenceOptions
from morpheus.model.config import DetectionThresholds
from morpheus.mosaic.calibration import Calibration
from morpheus.mosaic.images import Section
from morpheus.mosaic.opened import OpenMosaic, open_mosaic
from morpheus.mosaic.sky import SkyLevel
from morpheus.segmentation import SegmentationOptions

__all__ = ["SOURCES_TABLE", "FieldSpec", "Inputs", "devices"]

SOURCES_TABLE = "sources"
"""The names of all sources, sorted: what `segment` calls them."""


@dataclass(frozen=True)
class Inputs:
    """The files of a field, which were found to be in order.

    Parameters
    ----------
    bands : tuple of str
        What they are called, in the order of the model's bands.
    images : mapping of str to str
        By band, the file, perhaps with its HDU.
    weights, rms, dq : mapping of str to str
        Maps by band; empty if there are none.
    units : mapping of str to (str or None)
        Unit of the pixels by band.
    calibrations : mapping of str to Calibration
        Flux scale by band.
    identity : str
        Changes with any of the files.
    """

    bands: tuple[str, ...]
    images: Mapping[str, str]
    weights: Mapping[str, str]
    rms: Mapping[str, str]
    dq: Mapping[str, str]
    units: Mapping[str, str | None]
    calibrations: Mapping[str, Calibration]
    identity: str

    def open(self, bands: tuple[str, ...], stack: ExitStack) -> OpenMosaic:
        """Open bands until a stack is closed.

        Parameters
        ----------
        bands : tuple of str
            Which.
        stack : ExitStack
            What closes them.

        Returns
        -------
        OpenMosaic
            To read from.
        """
        images, *maps = (
            {band: by[band] for band in bands if band in by}
            for by in (self.images, self.weights, self.rms, self.dq)
        )
        weights, rms, dq = (one or None for one in maps)
        return stack.enter_context(
            open_mosaic(images, bands=bands, weights=weights, rms=rms, dq=dq, checked=True)
        )


@dataclass(frozen=True)
class FieldSpec:
    """What every task of a run needs to know.

    Parameters
    ----------
    store : str
        Folder of the store.
    grid : ChunkGrid
        How the field is divided.
    inputs : Inputs
        The files.
    origin : tuple of int
        Where the first pixel (y, x) of the field lies in the images.
    image_shape : tuple of int
        Size (y, x) of the images.
    model : str
        Folder of the model.
    weights_sha256 : str
        Digest of its weights.
    model_bands : tuple of str
        Bands of the model that `inputs.bands` stand for.
    skies : tuple of SkyLevel
        Sky of each band in the whole images; empty if the model needs none.
    inference : InferenceOptions
        How windows are placed and computed.
    segmentation : SegmentationOptions
        How pixels become sources.
    statistic : {'mean', 'votes'}
        Which probabilities sources are made from.
    thresholds : DetectionThresholds
        Of sources.
    catalog : CatalogOptions
        How sources are measured.
    single : bool, optional
        Whether no pixel was seen by more than one window; known when all are classified.
    """

    store: str
    grid: ChunkGrid
    inputs: Inputs
    origin: tuple[int, int]
    image_shape: tuple[int, int]
    model: str
    weights_sha256: str
    model_bands: tuple[str, ...]
    skies: tuple[SkyLevel, ...]
    inference: InferenceOptions
    segmentation: SegmentationOptions
    statistic: str
    thresholds: DetectionThresholds
    catalog: CatalogOptions
    single: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the field."""
        return self.grid.shape

    def in_images(self, section: Section) -> Section:
        """Give the place in the images of a section of the field.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        tuple of slice
            Rows and columns of the images.
        """
        rows, columns = (
            slice(part.start + start, part.stop + start)
            for part, start in zip(section, self.origin, strict=True)
        )
        return rows, columns


def devices(device: str) -> tuple[str, ...]:
    """Read a list of devices.

    Parameters
    ----------
    device : str
        Such as 'cpu', 'cuda', 'cuda:1' or 'cuda:0,1'.

    Returns
    -------
    tuple of str
        One or more, such as ('cuda:0', 'cuda:1').

    Raises
    ------
    OptionError
        If it is no such list.
    """
    kind, _, numbers = device.partition(":")
    if "," not in numbers:
        return (device,)
    listed = numbers.split(",")
    if not all(number.isdecimal() for number in listed) or len(set(listed)) < len(listed):
        raise OptionError(f"device {device!r}: several are written as {kind}:0,1")
    return tuple(f"{kind}:{number}" for number in listed)
