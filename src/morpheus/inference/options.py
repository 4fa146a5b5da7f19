"""How to run a model over an image, and the named presets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from morpheus.errors import OptionError
from morpheus.model import ModelConfig

__all__ = [
    "LATTICE_SHEAR",
    "PRESETS",
    "Edges",
    "InferenceOptions",
    "Precision",
    "Progress",
    "check_placement",
    "preset",
]

Progress = Callable[[int, int], None]
"""Called with the number of windows done and their total number."""

Edges = Literal["skip", "pad"]
Precision = Literal["float32", "bfloat16", "auto"]

LATTICE_SHEAR = {2: 1, 3: 2, 4: 3}
"""Shear `a` of the lattice `x = a y (mod s^2)` by its spacing `s`."""


@dataclass(frozen=True)
class InferenceOptions:
    """How windows are placed and computed.

    A dense model sees every pixel once, in windows whose places are its own: stride, lattice and
    edges have no meaning for it and are left as a preset has them.

    Parameters
    ----------
    stride : int, optional
        Distance between windows in pixels; on a lattice there is one window per `stride**2`
        pixels. 1 is the published recipe.
    lattice : bool, optional
        Place windows on a sheared lattice, `x = a y (mod stride**2)`, instead of a square grid: at
        the same cost about half the error. For strides 2, 3 and 4.
    edges : {'skip', 'pad'}, optional
        Whether the outermost pixels of the image, which the published recipe never classifies
        (`n` is 0 there), stay unclassified or are classified from windows that are continued by
        reflection. An image smaller than a window is always padded.
    precision : {'float32', 'bfloat16', 'auto'}, optional
        Arithmetic of the network; 'auto' is bfloat16 where the processor has instructions for it
        and float32 elsewhere.
    device : str, optional
        'cpu', or a PyTorch device such as 'cuda' or 'cuda:1'.
    threads : int, optional
        Processor cores to use; all that the process may use if None.
    batch_size : int, optional
        Windows per evaluation of the network; chosen for the device if None.
    """

    stride: int = 1
    lattice: bool = False
    edges: Edges = "skip"
    precision: Precision = "float32"
    device: str = "cpu"
    threads: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("stride", "threads", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) and not (value is None and name != "stride"):
                raise OptionError(f"{name.replace('_', ' ')} is {value!r}; it is a whole number")
        if self.stride < 1:
            raise OptionError(f"the stride is {self.stride}; it is at least 1")
        if self.lattice and self.stride not in LATTICE_SHEAR:
            raise OptionError(
                f"there is no lattice for a stride of {self.stride}; choose one of"
                f" {', '.join(map(str, LATTICE_SHEAR))}, or a square grid (--grid)"
            )
        for name, choices in (("edges", get_args(Edges)), ("precision", get_args(Precision))):
            if getattr(self, name) not in choices:
                raise OptionError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}"
                )
        for name in ("threads", "batch_size"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= _MOST:
                raise OptionError(f"{name.replace('_', ' ')} is {value}; it is 1 to {_MOST}")


_MOST = 65_536  # windows in a batch, or threads: a slip of the keyboard asks for more

PRESETS = {
    "exact": InferenceOptions(),
    "fast": InferenceOptions(stride=3, lattice=True, precision="auto"),
}
"""`exact` is the published result; `fast` an approximation whose error docs/accuracy.md states.

For a dense model the two differ in nothing but the precision.
"""


def preset(name: str) -> InferenceOptions:
    """Look up a preset.

    Parameters
    ----------
    name : str
        Key of `PRESETS`.

    Returns
    -------
    InferenceOptions
        The options that the name stands for.

    Raises
    ------
    OptionError
        If there is no such preset.
    """
    if name not in PRESETS:
        raise OptionError(f"unknown preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def check_placement(config: ModelConfig, **chosen: Any) -> None:
    """Refuse options that place windows where a model has places of its own.

    Parameters
    ----------
    config : ModelConfig
        The model.
    **chosen : Any
        Values of stride, lattice and edges; None where nothing was chosen.

    Raises
    ------
    OptionError
        If the model is dense and one was chosen.
    """
    given = [name for name, value in chosen.items() if value is not None]
    if given and config.is_dense:
        raise OptionError(
            f"{config.name} is a dense model, which sees every pixel once, edges included: there is"
            f" no {given[0]} to choose; leave out stride, lattice and edges"
        )
