"""What ran: versions, options, inputs and timings, for headers and reports."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

__all__ = ["Stopwatch", "morpheus_version", "now", "software"]

DISTRIBUTION = "morpheus-sky"


def morpheus_version() -> str:
    """Version of the installed distribution.

    Returns
    -------
    str
        Such as '0.1.0'.
    """
    return metadata.version(DISTRIBUTION)


def now() -> str:
    """Tell the time.

    Returns
    -------
    str
        UTC, in ISO 8601 to the second, as FITS headers hold it.
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def software() -> dict[str, Any]:
    """Gather the versions of what a result depends on.

    Returns
    -------
    dict
        Versions by name, and the platform.
    """
    packages = ("numpy", "scipy", "astropy", "photutils", "scikit-image", "openvino")
    return {
        "morpheus": morpheus_version(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "platform": platform.platform(),
        "processor": platform.machine(),
    }


class Stopwatch:
    """Wall time of the stages of a run.

    Attributes
    ----------
    seconds : dict of str to float
        Time by stage, in the order in which they began.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside; times of the same name add up.

        Parameters
        ----------
        name : str
            The stage.

        Yields
        ------
        None
            Control, to the stage.
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + elapsed, 4)
