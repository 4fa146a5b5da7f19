"""Training: datasets of examples in, a model out."""

from morpheus.train.fine_tuning import fine_tuning
from morpheus.train.fit import Devices, Trained, train
from morpheus.train.options import (
    AugmentOptions,
    DataOptions,
    LossOptions,
    ModelOptions,
    OptimiserOptions,
    TeacherOptions,
    TrainOptions,
    ValidationOptions,
    read_options,
)

__all__ = [
    "AugmentOptions",
    "DataOptions",
    "Devices",
    "LossOptions",
    "ModelOptions",
    "OptimiserOptions",
    "TeacherOptions",
    "TrainOptions",
    "Trained",
    "ValidationOptions",
    "fine_tuning",
    "read_options",
    "train",
]
