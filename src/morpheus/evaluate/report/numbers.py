"""Numbers as they are read: sensible digits, and intervals that need not be symmetric."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

__all__ = [
    "asymmetric",
    "count",
    "joined",
    "magnitude",
    "percent",
    "plus_minus",
    "scalar",
    "time",
    "words",
]

_MINUS = "\N{MINUS SIGN}"
_TENTH, _WHOLE = 0.0945, 0.945  # errors above have their first digit there
_HOUR, _MINUTE, _SHORT = 3600.0, 60.0, 9.95  # seconds
_GROUPED = 10_000  # smaller numbers are read without spaces
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _decimals(error: float) -> int:
    """Tell after how many digits an error makes the rest meaningless; it keeps one or two."""
    if error >= 10 * _WHOLE:
        return 0
    if error >= _TENTH:
        return 1
    return 2


def asymmetric(value: float, lower: float, upper: float) -> Markup:
    """Write a number with its interval.

    Parameters
    ----------
    value, lower, upper : float
        The number and the limits.

    Returns
    -------
    Markup
        Such as 96.3 with +1.4 above -2.3.
    """
    above, below = max(upper - value, 0.0), max(value - lower, 0.0)
    digits = _decimals(max(above, below))
    return Markup(
        '<span class="value">{}<span class="interval"><span>+{}</span><span>{}{}</span></span>'
        "</span>"
    ).format(f"{value:.{digits}f}", f"{above:.{digits}f}", _MINUS, f"{below:.{digits}f}")


def percent(fraction: dict[str, Any] | None) -> Markup:
    """Write a fraction with its interval.

    Parameters
    ----------
    fraction : dict or None
        As `morpheus.evaluate.fractions.fraction` gives it.

    Returns
    -------
    Markup
        In percent; a dash if it is not known.
    """
    if fraction is None or not fraction["n"]:
        return Markup("\N{EN DASH}")
    limits = [100 * fraction[name] for name in ("value", "lower", "upper")]
    return Markup("{}&#8239;%").format(asymmetric(*limits))


def plus_minus(value: float, error: float | None) -> Markup:
    """Write a number with its standard error.

    Parameters
    ----------
    value : float
        The number.
    error : float or None
        Its error; None if it is not known.

    Returns
    -------
    Markup
        Such as 1.282 and, after a sign of plus and minus, 0.038.
    """
    if not error or not math.isfinite(error):
        return escape(scalar(value, 3))
    digits = max(0, 1 - math.floor(math.log10(error)))
    return Markup('<span class="value">{} ± {}</span>').format(
        f"{value:.{digits}f}", f"{error:.{digits}f}"
    )


def scalar(value: float | None, digits: int) -> str:
    """Write a number without an interval.

    Parameters
    ----------
    value : float or None
        The number.
    digits : int
        After the point.

    Returns
    -------
    str
        A dash if it is not known.
    """
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.{digits}f}".replace("-", _MINUS)


def magnitude(value: float) -> str:
    """Write a limit that people chose.

    Parameters
    ----------
    value : float
        In magnitudes.

    Returns
    -------
    str
        With at most two decimals, such as 24.5 or 26.
    """
    return f"{round(value, 2):g}"


def count(number: float | None) -> str:
    """Write a whole number.

    Parameters
    ----------
    number : float or None
        The number.

    Returns
    -------
    str
        With narrow spaces between the thousands; a dash if it is not known.
    """
    if number is None:
        return "\N{EN DASH}"
    if number < _GROUPED:
        return f"{number:.0f}"
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def time(seconds: float | None) -> str:
    """Write a duration.

    Parameters
    ----------
    seconds : float or None
        The duration.

    Returns
    -------
    str
        Such as '20 s' or '1 h 24 min'; a dash if it is not known.
    """
    if seconds is None:
        return "\N{EN DASH}"
    if seconds >= _HOUR:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:.0f} min"
    if seconds >= 10 * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds:.0f} s" if seconds >= _SHORT else f"{seconds:.2g} s"


def words(number: int) -> str:
    """Write a small number in a sentence.

    Parameters
    ----------
    number : int
        The number.

    Returns
    -------
    str
        A word up to nine.
    """
    return _WORDS[number] if 0 <= number < len(_WORDS) else count(number)


def joined(words: Sequence[Any]) -> Markup:
    """Join words as a sentence does.

    Parameters
    ----------
    words : sequence
        One or more; escaped.

    Returns
    -------
    Markup
        Such as 'a, b and c'.
    """
    safe = [escape(word) for word in words]
    if len(safe) == 1:
        return safe[0]
    return Markup("{} and {}").format(Markup(", ").join(safe[:-1]), safe[-1])
