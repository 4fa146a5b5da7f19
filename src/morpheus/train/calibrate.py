"""Calibration: the weights of the last layer are scaled until probabilities are frequencies."""

from collections.abc import Sequence

import torch
from torch import Tensor

from morpheus.classes import BACKGROUND
from morpheus.model import Model
from morpheus.model.torch_network import build_network
from morpheus.train.batches import Batches
from morpheus.train.data import Unpacked
from morpheus.train.losses import factorised
from morpheus.train.module import counted, network_input
from morpheus.train.options import LossOptions, TrainOptions

__all__ = ["calibrated"]

_ITERATIONS = 50
_PRIOR = 0.001


def calibrated(
    model: Model, options: TrainOptions, data: Sequence[Unpacked]
) -> tuple[Model, dict[str, float]]:
    r"""Fit two temperatures and an offset on the examples that were kept for validation.

    The logits of the classes of sources are divided by one temperature (Guo et al. 2017) around
    their mean, and how much a pixel looks like source at all, :math:`\log (1 - p_b) / p_b`, by
    another, plus an offset. In logits, with :math:`m` the mean over the classes of sources,
    :math:`z_c \to m / T_s + (z_c - m) / T_c` and :math:`z_b \to z_b / T_s + o`; both are linear,
    so they become part of the last layer and cost nothing.

    Parameters
    ----------
    model : Model
        As trained.
    options : TrainOptions
        Of its training.
    data : sequence of Unpacked
        What it was trained on, and the rest.

    Returns
    -------
    model : Model
        With other weights in the last layer.
    fitted : dict of str to float
        'class_temperature', 'source_temperature' and 'background_offset'.
    """
    logits, classes, weight = _gather(model, options, data)
    loss = LossOptions(size_power=options.loss.size_power)
    values = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.LBFGS([values], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        error = factorised(_mapped(logits, values), classes, weight, loss)
        # With a handful of examples there is little to fit: then the values stay near 0.
        error = error + _PRIOR / len(logits) * values.square().sum()
        error.backward()  # type: ignore[no-untyped-call]
        return error

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    fitted = values.detach()
    weights = {name: torch.from_numpy(array) for name, array in model.weights.items()}
    kernel, bias = weights["head.weight"], weights["head.bias"]
    n_classes = len(model.config.classes)
    # The logits of a class are `repeats` adjacent filters: the pixels that one of a lower
    # resolution stands for.
    repeats = len(bias) // n_classes
    flat = torch.cat([kernel.flatten(1), bias[:, None]], 1).reshape(n_classes, repeats, -1)
    moved = _mapped(flat[None], fitted, offset=False)[0].flatten(0, 1)
    head = moved[:, -1].clone()
    head[BACKGROUND * repeats : (BACKGROUND + 1) * repeats] += fitted[2]
    changed = {
        "head.weight": moved[:, :-1].reshape(kernel.shape).numpy().copy(),
        "head.bias": head.numpy(),
    }
    names = ("class_temperature", "source_temperature")
    temperatures = {
        name: float(torch.exp(-value)) for name, value in zip(names, fitted[:2], strict=True)
    }
    made = Model(model.config, {**model.weights, **changed})
    return made, {**temperatures, "background_offset": float(fitted[2])}


def _mapped(logits: Tensor, values: Tensor, *, offset: bool = True) -> Tensor:
    """Apply inverse temperatures (as logarithms) and the offset; axis 1 is the class."""
    classes, background = logits[:, :BACKGROUND], logits[:, BACKGROUND:]
    mean = classes.mean(1, keepdim=True)
    scale = torch.exp(values[:2])
    moved = background * scale[1]
    return torch.cat(
        [mean * scale[1] + (classes - mean) * scale[0], moved + values[2] if offset else moved], 1
    )


@torch.no_grad()
def _gather(
    model: Model, options: TrainOptions, data: Sequence[Unpacked]
) -> tuple[Tensor, Tensor, Tensor]:
    network = build_network(model)
    n = -(-options.validation.examples // options.optimiser.batch)
    # Other batches than those by which the epoch was chosen.
    batches = Batches(data, options, n, max(2, n), validation=True)
    gathered: list[tuple[Tensor, Tensor, Tensor]] = []
    for batch in batches.loader():
        logits, batch = counted(network(network_input(batch, options)), batch, options)  # noqa: PLW2901
        gathered.append((logits, batch.classes, batch.weight))
    logits, classes, weight = (torch.cat([one[k] for one in gathered]) for k in range(3))
    return logits, classes, weight
