"""Scale bars of a round length."""

import math

__all__ = ["bar_length"]

_ROUND = (1.0, 2.0, 5.0)
_UNITS = ((3600.0, "\N{DEGREE SIGN}"), (60.0, "\N{PRIME}"), (1.0, "\N{DOUBLE PRIME}"))


def bar_length(longest: float) -> tuple[float, str]:
    """Choose the length of a scale bar.

    Parameters
    ----------
    longest : float
        What it may be at most, in arcsec; above 0.

    Returns
    -------
    length : float
        In arcsec; 1, 2 or 5 times a power of ten of arcsec, arcmin or degrees.
    label : str
        The same for people.
    """
    size, mark = next(((s, m) for s, m in _UNITS if longest >= s), _UNITS[-1])
    steps = longest / size
    power = 10.0 ** math.floor(math.log10(steps))
    # The small addition absorbs the rounding of steps / power.
    number = max(r for r in _ROUND if r <= steps / power * (1 + 1e-9)) * power
    return number * size, f"{number:g}{mark}"
