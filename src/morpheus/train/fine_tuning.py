"""Fine-tuning: a training that starts from a model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from morpheus.errors import OptionError
from morpheus.model import Model, find_model, installed_models, load_model
from morpheus.model.config import DenseConfig, DetectionThresholds
from morpheus.train.options import (
    AugmentOptions,
    DataOptions,
    ModelOptions,
    OptimiserOptions,
    TrainOptions,
    ValidationOptions,
)

__all__ = ["fine_tuning", "started_from"]

_EPOCHS, _STEPS, _RATE = 12, 50, 3e-4


def fine_tuning(start: str, data: Sequence[Path], name: str | None = None) -> TrainOptions:
    """Choose the options with which a model is fine-tuned on other data.

    A seventh of the learning rate of a training from scratch, few steps, a fifth of the data to
    validate with; the epoch with the least validation loss counts.

    Parameters
    ----------
    start : str
        Installed model, or a model folder.
    data : sequence of Path
        Datasets, which count the same.
    name : str, optional
        Of the model that is made.

    Returns
    -------
    TrainOptions
        To be given to `train`, or to be changed before.

    Raises
    ------
    ModelError
        If the model is not there or damaged.
    """
    found = find_model(start)
    model = load_model(found)
    dense = isinstance(model.config.network, DenseConfig)
    crop = 128 if dense else model.config.window.size
    return TrainOptions(
        name=name or f"{model.config.name}-tuned",
        data=tuple(DataOptions(str(path.resolve())) for path in data),
        start=start if start in installed_models() else str(found.resolve()),
        model=_model_options(model),
        augment=AugmentOptions() if dense else AugmentOptions(drop_band=0.0, only_first=0.0),
        optimiser=OptimiserOptions(
            epochs=_EPOCHS, steps=_STEPS, crop=crop, learning_rate=_RATE, warmup=_STEPS
        ),
        validation=ValidationOptions(share=0.2),
    )


def started_from(start: Model, options: TrainOptions) -> TrainOptions:
    """Give a training the bands, network, window and thresholds of the model that it starts from.

    Parameters
    ----------
    start : Model
        The model.
    options : TrainOptions
        Of the training.

    Returns
    -------
    TrainOptions
        With the model's; its thresholds only if none but the default ones are given.

    Raises
    ------
    OptionError
        If the options ask for another model.
    """
    wanted = _model_options(start)
    if options.model not in (wanted, ModelOptions()):
        raise OptionError(
            f"a training that starts from {start.config.name} makes a model with its bands, network"
            " and windows: leave out [model]"
        )
    given = options.detection
    detection = given if given != DetectionThresholds() else start.config.detection
    return dataclasses.replace(options, model=wanted, detection=detection)


def _model_options(model: Model) -> ModelOptions:
    config = model.config
    return ModelOptions(config.bands, config.alternatives, config.network, config.window)
