"""The exceptions that Morpheus raises on bad input, and its warning.

Every message says what is wrong, where, and what to do. The command line turns any of them into
one line on standard error and exit code 2 (3 for `IncompleteError`); a
library user catches `MorpheusError`.
"""

__all__ = [
    "DatasetError",
    "GridMismatchError",
    "ImageError",
    "IncompleteError",
    "ModelError",
    "MorpheusError",
    "MosaicWarning",
    "OptionError",
    "ProductError",
    "missing_package",
]


class MorpheusError(Exception):
    """Base of everything that Morpheus raises on purpose."""


class ImageError(MorpheusError):
    """An input image cannot be read or cannot be used."""


class GridMismatchError(ImageError):
    """Bands do not share one pixel grid, or stand in the wrong order."""


class ModelError(MorpheusError):
    """A model is unknown, damaged, unsafe or does not fit the images."""


class OptionError(MorpheusError):
    """Options contradict each other, or a value is out of range."""


class ProductError(MorpheusError):
    """A product cannot be written, or cannot be read back."""


class DatasetError(ProductError):
    """A dataset is none, is incomplete, or is not what was written."""


class IncompleteError(MorpheusError):
    """A part of the work failed; what was done is kept, and can be gone on with."""


class MosaicWarning(UserWarning):
    """Images could be read, but something about them could not be checked."""


def missing_package(error: ModuleNotFoundError, what: str, extra: str) -> OptionError:
    """Say which optional package is missing, and how to get it.

    Parameters
    ----------
    error : ModuleNotFoundError
        What the import raised.
    what : str
        What needs the package.
    extra : str
        Extra of the distribution that brings it.

    Returns
    -------
    OptionError
        To be raised.
    """
    return OptionError(
        f"{what} needs {error.name}: pip install 'morpheus-sky[{extra}]'"
        f" (in a checkout: '.[{extra}]')"
    )
