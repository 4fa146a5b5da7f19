"""Units as surveys write them."""

import re

from astropy import units as u

__all__ = ["same_unit"]


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
    text = re.sub(r"e-(?![\w.])|\belectrons\b", "electron", written.strip().lower())
    text = re.sub(r"\b(sec|seconds?)\b", "s", text)
    candidates = (u.Unit(name, parse_strict="silent") for name in (written, text))
    return any(unit == u.Unit(expected) for unit in candidates)
