"""What the user gives, sorted out for a model: images by band, with their maps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from morpheus.errors import OptionError
from morpheus.model import ModelConfig
from morpheus.mosaic.bands import is_list
from morpheus.mosaic.choice import BandChoice, choose_images

__all__ = ["GivenImages", "images_for"]


@dataclass(frozen=True, eq=False)
class GivenImages:
    """Images and maps as `read_mosaic` takes them with the bands `choice.given`.

    Parameters
    ----------
    choice : BandChoice
        Which bands there are.
    images : Any
        The images: by name, or as they were given if the model needs all of its bands.
    weights, rms, dq : Any, optional
        Inverse-variance, noise and data-quality maps.
    """

    choice: BandChoice
    images: Any
    weights: Any = field(default=None)
    rms: Any = field(default=None)
    dq: Any = field(default=None)


def images_for(
    config: ModelConfig, images: Any, weights: Any = None, rms: Any = None, dq: Any = None
) -> GivenImages:
    """Sort out which band each image is.

    Parameters
    ----------
    config : ModelConfig
        The model. One that needs all of its bands gets the images as they are.
    images : mapping of str to image, sequence of images, or 3-D array
        As for `morpheus.classify`.
    weights, rms, dq : optional
        Maps: by band, in the order of the images, or one for all.

    Returns
    -------
    GivenImages
        The images that are used, and their maps.

    Raises
    ------
    OptionError
        If it is not clear which band an image is, or maps do not fit the images.
    ImageError
        If a file cannot be read.
    """
    if not config.takes_missing_bands:
        return GivenImages(BandChoice(config.bands, config.bands), images, weights, rms, dq)
    choice, by_name, order = choose_images(images, config.bands, config.alternatives)
    return GivenImages(
        choice,
        by_name,
        *(
            _maps(name, one, choice, order)
            for name, one in (("weights", weights), ("rms", rms), ("dq", dq))
        ),
    )


def _maps(kind: str, maps: Any, choice: BandChoice, order: tuple[str, ...]) -> Any:
    """Leave out the maps of images that are not used; name those that have no names."""
    if isinstance(maps, Mapping):
        unused = {name.casefold() for name in choice.unused}
        known = unused | {name.casefold() for name in choice.given}
        for name in maps:
            if str(name).strip().casefold() not in known:
                raise OptionError(
                    f"{kind}: {name} is not given as an image; the images are"
                    f" {', '.join((*choice.given, *choice.unused))}"
                )
        return {k: v for k, v in maps.items() if str(k).strip().casefold() not in unused}
    if is_list(maps) or getattr(maps, "ndim", None) == 3:  # noqa: PLR2004 (band, y, x)
        if len(maps) != len(order):
            raise OptionError(f"{kind}: {len(maps)} maps were given for {len(order)} images")
        return {name: one for name, one in zip(order, maps, strict=True) if name in choice.given}
    return maps
