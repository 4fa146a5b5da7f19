"""What commands ask for in common: the images, what a run may replace, how much it says."""

from typing import Annotated

import typer

from morpheus.errors import OptionError

__all__ = [
    "BandFiles",
    "Check",
    "Compress",
    "DataQualityFiles",
    "Images",
    "ModelName",
    "MoreImages",
    "Overwrite",
    "Quiet",
    "RmsFiles",
    "SingleFile",
    "SkyRegion",
    "WeightFiles",
    "by_band",
    "images_given",
    "numbers_by_band",
    "one_of",
]

IMAGES, OUTPUT = "Images", "Output"
_BAND_FILE = "BAND=FILE"  # or BAND=FILE[HDU]

Images = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE",
        help="One FITS image per band, in the model's order; FILE[HDU] chooses an HDU. To a model"
        " that does with fewer bands, give those whose headers say their filter.",
        show_default=False,
    ),
]
MoreImages = Annotated[
    list[str] | None,
    typer.Option(
        "--images",
        metavar="IMAGE...",
        help="One FITS image per band, in the model's order; by default the images that were"
        " classified.",
        rich_help_panel=IMAGES,
    ),
]
BandFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--band",
        metavar=_BAND_FILE,
        help="Image of a band, by name and in any order: F160W=h.fits or F160W=h.fits[SCI];"
        " once for each band.",
        rich_help_panel=IMAGES,
    ),
]
WeightFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        metavar=_BAND_FILE,
        help="Inverse-variance map of a band. Pixels that are not positive are masked.",
        rich_help_panel=IMAGES,
    ),
]
RmsFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--rms",
        metavar=_BAND_FILE,
        help="Noise map of a band. Pixels that are not positive are masked.",
        rich_help_panel=IMAGES,
    ),
]
DataQualityFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--dq",
        metavar=_BAND_FILE,
        help="Data-quality map of a band. Pixels that are not 0 are masked.",
        rich_help_panel=IMAGES,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check-filters/--no-check-filters",
        help="Refuse images whose FILTER header is another band's.",
        rich_help_panel=IMAGES,
    ),
]
ModelName = Annotated[str, typer.Option("-m", "--model", help="Installed model or model folder.")]
SkyRegion = Annotated[
    str | None,
    typer.Option(
        metavar="RA,DEC,SIZE",
        help="Part of the sky to read: 53.12,-27.80,30arcsec, or with width and height:"
        " 53.12,-27.80,60arcsec,30arcsec.",
        rich_help_panel=IMAGES,
    ),
]
Compress = Annotated[
    bool,
    typer.Option(
        "--compress",
        help="Tile-compress the products without loss (.fits.fz).",
        rich_help_panel=OUTPUT,
    ),
]
SingleFile = Annotated[
    bool,
    typer.Option(
        "--single-file",
        help="One multi-extension FITS file instead of one file per class and statistic.",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace products.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Say nothing but errors.", rich_help_panel=OUTPUT)
]


def images_given(images: list[str] | None, more: list[str] | None) -> list[str] | None:
    """Put together the images after --images, of which the shell takes the first for its value.

    Parameters
    ----------
    images : list of str or None
        Values of --images.
    more : list of str or None
        Arguments that follow.

    Returns
    -------
    list of str or None
        In their order; None if there are none.

    Raises
    ------
    OptionError
        If it is not clear what belongs to --images.
    """
    if images and len(images) > 1 and more:
        raise OptionError("--images is given once, before all images, or once for each")
    if more and not images:
        raise OptionError(f"{more[0]}: images come after --images, or with --band NAME=FILE")
    return [*(images or []), *(more or [])] or None


def by_band(
    option: str,
    values: list[str] | None,
    form: str = "BAND=FILE, such as F160W=h.fits[SCI]",
) -> dict[str, str] | None:
    """Split BAND=FILE arguments.

    Parameters
    ----------
    option : str
        What messages call them.
    values : list of str or None
        As given.
    form : str, optional
        Of a value, for messages.

    Returns
    -------
    dict of str to str, or None
        What was given by band; None if nothing was.

    Raises
    ------
    OptionError
        If one is not of this form, or a band is given twice.
    """
    if not values:
        return None
    images: dict[str, str] = {}
    for value in values:
        name, equals, image = value.partition("=")
        if not (name and equals and image):
            raise OptionError(f"{option} {value}: expected {form}")
        if name in images:
            raise OptionError(f"{option} gives {name} twice")
        images[name] = image
    return images


def numbers_by_band(option: str, values: list[str] | None) -> dict[str, float]:
    """Split BAND=NUMBER arguments.

    Parameters
    ----------
    option : str
        What messages call them.
    values : list of str or None
        As given.

    Returns
    -------
    dict of str to float
        The numbers by band.

    Raises
    ------
    OptionError
        If one is not of this form, or a band is given twice.
    """
    numbers: dict[str, float] = {}
    for value in values or ():
        name, _, number = value.partition("=")
        if name in numbers:
            raise OptionError(f"{option} gives {name} twice")
        try:
            numbers[name] = float(number)
        except ValueError:
            raise OptionError(
                f"{option} {value}: expected BAND=NUMBER, such as F160W=25.946"
            ) from None
    return numbers


def one_of(images: list[str] | None, named: dict[str, str] | None) -> list[str] | dict[str, str]:
    """Take the images in the model's order or by name.

    Parameters
    ----------
    images : list of str or None
        In order.
    named : dict of str to str, or None
        By name.

    Returns
    -------
    list of str, or dict of str to str
        The one that was given.

    Raises
    ------
    OptionError
        If both were, or neither.
    """
    if images and not named:
        return images
    if named and not images:
        return named
    raise OptionError("give either one image per band, in the model's order, or --band for each")
