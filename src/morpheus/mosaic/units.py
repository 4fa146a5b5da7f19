"""Units as surveys write them."""

import re
import warnings

from astropy import units as u

__all__ = ["parse_unit", "same_unit"]


def parse_unit(written: str) -> u.UnitBase | None:
    """Understand a unit as a file has it.

    Parameters
    ----------
    written : str
        Such as a BUNIT header: 'ELECTRONS/S', 'e-/s', 'counts', 'MJy/sr'.

    Returns
    -------
    astropy.units.UnitBase or None
        The unit; None if it is no unit.
    """
    # As written first: where case matters (mJy and MJy) it is kept.
    for text in _spellings(written):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # such as of erg/s/cm2/Hz
            unit = u.Unit(text, parse_strict="silent")
        if not isinstance(unit, u.UnrecognizedUnit):
            return unit
    return None


def same_unit(written: str, expected: str) -> bool:
    """Tell whether a unit, as a file has it, is the expected one.

    Parameters
    ----------
    written : str
        Such as a BUNIT header: 'ELECTRONS/S', 'e-/s', 'electron / s'.
    expected : str
        A unit as astropy writes it.

    Returns
    -------
    bool
        True if they are equal, scale included; False if not, or if `written` is no unit.
    """
    candidates = (u.Unit(text, parse_strict="silent") for text in _spellings(written))
    return any(unit == u.Unit(expected) for unit in candidates)


def _spellings(written: str) -> tuple[str, str]:
    """Give the unit as it is written, and as astropy writes it."""
    if "jy" in written.lower():  # the case of its prefix says mega or milli
        text = re.sub(r"jy", "Jy", written.strip(), flags=re.IGNORECASE)
        return written.strip(), re.sub(r"\bSR\b", "sr", text)
    text = re.sub(r"e-(?![\w.])|\belectrons\b", "electron", written.strip().lower())
    text = re.sub(r"\b(sec|seconds?)\b", "s", text)
    text = re.sub(r"\b(counts?|cts)\b", "ct", text)
    text = re.sub(r"\bdn\b", "DN", re.sub(r"\bcps\b", "ct/s", text))
    return written.strip(), text
