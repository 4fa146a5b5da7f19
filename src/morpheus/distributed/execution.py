"""Who works on a field, and with how much memory."""

from dataclasses import dataclass

from morpheus.errors import OptionError

__all__ = ["LOCAL_SCHEDULERS", "Execution"]

LOCAL_SCHEDULERS = ("processes", "threads", "serial")
"""What can take the place of a scheduler's address."""


@dataclass(frozen=True)
class Execution:
    """Who works on a field, and with how much memory.

    Parameters
    ----------
    scheduler : str, optional
        'processes' or 'threads' of this machine, 'serial' for this process alone, or the address
        of a Dask scheduler, whose workers see the same files under the same names.
    memory : int or None, optional
        Bytes that all processes together may take; by default chunks are of the usual size.
    chunk : int or None, optional
        Side of a chunk in pixels, instead of what the memory allows. Results do not depend on it.
    keep : bool, optional
        Whether what is stored between the stages is kept in the end.
    """

    scheduler: str = "processes"
    memory: int | None = None
    chunk: int | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        for name in ("memory", "chunk"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise OptionError(f"{name} is {value!r}; it is a whole number from 1")
        if self.scheduler not in LOCAL_SCHEDULERS and "://" not in self.scheduler:
            raise OptionError(
                f"scheduler is {self.scheduler!r}; it is {', '.join(LOCAL_SCHEDULERS)} or an"
                " address such as tcp://head:8786"
            )
