"""The original program's command line: `morpheus h.fits j.fits v.fits z.fits --action all`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from morpheus.cli.terminal import progress_bar, warnings_as_lines
from morpheus.errors import OptionError

__all__ = ["is_original", "original"]

_OPTIONS = ("--action", "--gpus", "--cpus", "--out_dir", "--batch_size")
# What each action writes, beside the class maps. A catalogue needs the segmentation.
_PRODUCTS = {
    None: (),
    "catalog": ("segmap.fits", "catalog.txt"),
    "segmap": ("segmap.fits",),
    "colorize": ("colorized.png",),
    "all": ("segmap.fits", "catalog.txt", "colorized.png"),
}


def is_original(arguments: Sequence[str]) -> bool:
    """Tell whether a command line is the original program's.

    Parameters
    ----------
    arguments : sequence of str
        What follows the program's name.

    Returns
    -------
    bool
        True if it begins with a FITS file, or with an option that only the original has.
    """
    if not arguments:
        return False
    return arguments[0].endswith((".fits", ".FITS")) or arguments[0].split("=")[0] in _OPTIONS


def original(arguments: Sequence[str]) -> None:
    """Do what the original program does with these arguments.

    Parameters
    ----------
    arguments : sequence of str
        What follows the program's name.

    Raises
    ------
    MorpheusError
        If an argument or an image cannot be used, or a product exists.
    """
    given = _parser().parse_args(arguments)
    files = {band: getattr(given, band) for band in "hjvz"}

    from morpheus.classifier import Classifier, check_new, write_catalog

    products = _PRODUCTS[given.action]
    check_new(given.out_dir / name for name in products)
    with warnings_as_lines(quiet=False), progress_bar(quiet=False) as progress:
        classified = Classifier.classify(
            **files,
            out_dir=given.out_dir,
            batch_size=given.batch_size,
            gpus=given.gpus,
            cpus=given.cpus,
            progress=progress,
        )
    with warnings_as_lines(quiet=False):
        if "segmap.fits" in products:
            segmap = Classifier.segmap_from_classified(classified, given.h, out_dir=given.out_dir)
            if "catalog.txt" in products:
                catalog = Classifier.catalog_from_classified(classified, given.h, segmap)
                write_catalog(given.out_dir / "catalog.txt", catalog)
        if "colorized.png" in products:
            Classifier.colorize_classified(classified, out_dir=given.out_dir)


class _Parser(argparse.ArgumentParser):
    """Leaves it to the caller to say what is wrong."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message} (see morpheus h.fits --help)")


def _parser() -> _Parser:
    parser = _Parser(
        prog="morpheus",
        description="The original program's command line. New: morpheus classify, segment, ...;"
        " see morpheus --help.",
        allow_abbrev=False,
    )
    for band, name in zip("hjvz", ("F160W", "F125W", "F606W", "F850LP"), strict=True):
        parser.add_argument(band, help=f"FITS image in {name}")
    actions = [action for action in _PRODUCTS if action is not None]
    parser.add_argument(
        "--action",
        choices=actions,
        help="what to make of the classes: segmap.fits; catalog.txt and segmap.fits;"
        " colorized.png; or all of them",
    )
    parser.add_argument(
        "--gpus", type=_numbers, help="numbers of GPUs, such as 0,1; the first is used"
    )
    parser.add_argument("--cpus", type=int, help="number of processor cores (default: all)")
    parser.add_argument(
        "--out_dir", type=Path, default=Path(), help="folder of the products (default: this one)"
    )
    parser.add_argument(
        "--batch_size", type=int, default=1000, help="windows that a GPU gets at once (%(default)s)"
    )
    return parser


def _numbers(value: str) -> list[int]:
    try:
        return [int(number) for number in value.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is no list of numbers like 0,1") from error
