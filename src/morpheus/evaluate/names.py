"""Names of detectors, which people choose, as names of files and columns."""

import re
from collections.abc import Iterable

__all__ = ["plain_names"]

_LONGEST = 60


def plain_names(names: Iterable[str]) -> list[str]:
    """Write names with ASCII letters, digits, points, dashes and underscores only.

    Parameters
    ----------
    names : iterable of str
        Any.

    Returns
    -------
    list of str
        As many, all different, also where the case of letters does not count.
    """
    plain: list[str] = []
    for number, name in enumerate(names, 1):
        one = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[:_LONGEST] or str(number)
        if one.lower() in (other.lower() for other in plain):
            one = f"{one}_{number}"
        plain.append(one)
    return plain
