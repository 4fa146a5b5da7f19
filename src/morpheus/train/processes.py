"""Several processes that train together."""

from lightning.pytorch.utilities import rank_zero_only

__all__ = ["is_first"]


def is_first() -> bool:
    """Tell whether this process is the first of those that train, which alone writes and speaks.

    Returns
    -------
    bool
        True where there is only one.
    """
    return bool(getattr(rank_zero_only, "rank", 0) == 0)
