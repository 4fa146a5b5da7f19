"""Progress of a whole run, in pixels: stages count by what they usually cost."""

from collections.abc import Callable

from morpheus.model import ModelConfig

__all__ = ["StageProgress", "WholeProgress"]

StageProgress = Callable[[str, int, int], None]
"""Called with what is done, and how many pixels of how many it is done for."""

# What stages cost for a pixel, in units of a dense classification: roughly, for the bar.
_COSTS = {
    "classify": 1.0,
    "write maps": 0.15,
    "detect": 0.04,
    "sky": 0.04,
    "noise": 0.06,
    "separate": 0.6,
    "write segmentation": 0.05,
    "background": 0.15,
    "noise of bands": 0.1,
    "measure": 1.2,
    "pictures": 0.15,
}
_WINDOW = 500.0  # the same, of a window of the published network


class WholeProgress:
    """Tells how far a run is, and not only its present stage.

    Parameters
    ----------
    show : callable
        Told the stage, and how many pixels' worth of work of how many is done.
    n_pixels : int
        Number of pixels of the field.
    config : ModelConfig
        The model.
    stride : int
        Distance between its windows, if they overlap.
    """

    def __init__(
        self, show: StageProgress, n_pixels: int, config: ModelConfig, stride: int
    ) -> None:
        self._show, self._n_pixels = show, n_pixels
        self._costs = dict(_COSTS)
        if not config.is_dense:
            self._costs["classify"] = _WINDOW / stride**2
        self._done: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Be told how far a stage is.

        Parameters
        ----------
        stage : str
            Its name; those before it are done.
        done, total : int
            How much of how much.
        """
        stages = list(self._costs)
        self._done = dict.fromkeys(stages[: stages.index(stage)], 1.0)
        self._done[stage] = done / max(1, total)
        cost = sum(self._costs[name] * share for name, share in self._done.items())
        share = cost / sum(self._costs.values())
        self._show(stage, round(share * self._n_pixels), self._n_pixels)
