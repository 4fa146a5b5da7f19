"""One step of training and of validation."""

import dataclasses
import math
from typing import Any

import lightning
import torch
from torch import Tensor

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.model import Model
from morpheus.model.config import DenseConfig, ModelConfig
from morpheus.model.torch_network import build_network, make_network, model_of
from morpheus.train.losses import LOSSES, of_classes, of_sources
from morpheus.train.metrics import Scores
from morpheus.train.options import TrainOptions
from morpheus.train.prepared import Prepared, sky_noise_input, window_input
from morpheus.train.teacher import HEADS, Teacher, merged

__all__ = ["Training", "counted", "network_input"]

# Of the last layer. The filters of a class lie together: of a dense network there are four, for the
# pixels that one of half the resolution stands for.
_HEAD = "head.weight", "head.bias"


def network_input(batch: Prepared, options: TrainOptions) -> Tensor:
    """Normalise a batch as the network takes it.

    Parameters
    ----------
    batch : Prepared
        The batch.
    options : TrainOptions
        Says which network.

    Returns
    -------
    Tensor, shape (n, channel, y, x)
        The input.
    """
    if isinstance(options.model.network, DenseConfig):
        return sky_noise_input(batch)
    return window_input(batch)


def counted(logits: Tensor, batch: Prepared, options: TrainOptions) -> tuple[Tensor, Prepared]:
    """Leave out what does not count: the margin of the windows of the published architecture.

    Parameters
    ----------
    logits : Tensor, shape (n, 5, y, x)
        The network's output.
    batch : Prepared
        What it was made from.
    options : TrainOptions
        Says which network.

    Returns
    -------
    logits : Tensor
        Its inner part; all of it of a dense network, whose crops end where the sky goes on.
    batch : Prepared
        The same part.
    """
    if isinstance(options.model.network, DenseConfig):
        return logits, batch
    inside = slice(options.model.window.margin, logits.shape[-1] - options.model.window.margin)
    return logits[..., inside, inside], batch.cut(inside)


class Training(lightning.LightningModule):
    """A network in training.

    Parameters
    ----------
    options : TrainOptions
        What is trained, and how.
    config : ModelConfig
        Of the model that is made.
    teacher : Teacher, optional
        A model to learn from beside the labels.
    """

    def __init__(
        self, options: TrainOptions, config: ModelConfig, teacher: Teacher | None = None
    ) -> None:
        super().__init__()
        self.options = options
        self.config = config
        self.teacher = teacher
        self.network = make_network(config, HEADS if teacher else None)
        # Convolutions on processors are faster so.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.scores = Scores()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits of the classes; see the network."""
        logits = self._outputs(x)
        return merged(logits, self.options.teacher.share) if self.teacher else logits

    def initialise(self, start: Model | None) -> None:
        """Give the network its first weights.

        Parameters
        ----------
        start : Model or None
            Whose weights it gets; random ones, which the seed decides, if there is none. What is
            learnt from a teacher begins with what the model says.
        """
        if start is None:
            torch.manual_seed(self.options.seed)
            for layer in self.network.modules():
                if isinstance(layer, torch.nn.Conv2d | torch.nn.BatchNorm2d):
                    layer.reset_parameters()
            return
        state = build_network(start).state_dict()
        if self.teacher:
            for name in _HEAD:
                by_class = state[name].unflatten(0, (len(CLASS_NAMES), -1))
                state[name] = torch.cat([by_class, by_class[:BACKGROUND]]).flatten(0, 1)
        self.network.load_state_dict(state)

    def model(self) -> Model:
        """Make a model of what was learnt.

        Returns
        -------
        Model
            What was learnt from the labels and from the teacher is merged in its last layer.
        """
        network = make_network(self.config)
        state = self.network.state_dict()
        if self.teacher:
            for name in _HEAD:
                by_class = state[name].unflatten(0, (HEADS, -1))
                state[name] = merged(by_class, self.options.teacher.share, 0).flatten(0, 1)
        network.load_state_dict(state)
        return model_of(network, self.config)

    def _outputs(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits

    def transfer_batch_to_device(
        self, batch: Prepared, device: torch.device, dataloader_idx: int
    ) -> Prepared:
        """Move examples to the device that trains."""
        del dataloader_idx
        return batch.to(device)

    def training_step(self, batch: Prepared, batch_idx: int) -> Tensor:
        """Compute the loss of a step."""
        del batch_idx
        logits = self._outputs(network_input(batch, self.options))
        loss = self._loss(*counted(logits, self._taught(batch), self.options))
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.owner))
        return loss

    def validation_step(self, batch: Prepared, batch_idx: int) -> None:
        """Compare with the truth."""
        del batch_idx
        logits = self._outputs(network_input(batch, self.options))
        logits, batch = counted(logits, self._taught(batch), self.options)
        loss = self._loss(logits, batch)
        self.log("val_loss", loss, batch_size=len(batch.owner), sync_dist=True)
        logits = merged(logits, self.options.teacher.share) if self.teacher else logits
        self.scores.add(torch.softmax(logits.float(), 1), batch)

    def on_validation_epoch_end(self) -> None:
        """Log what was gathered."""
        # The same numbers, of the examples of all processes, are logged by each of them.
        if self.trainer.world_size > 1:
            sums = self.trainer.strategy.reduce(self.scores.sums.to(self.device), reduce_op="sum")
            self.scores.sums = torch.as_tensor(sums).cpu()
        for name, value in self.scores.result().items():
            self.log(f"val_{name}", value)
        self.scores = Scores()

    def configure_optimizers(self) -> Any:
        """Make the optimiser and the course of its learning rate."""
        chosen = self.options.optimiser
        decayed = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": chosen.weight_decay},
             {"params": others, "weight_decay": 0.0}],
            lr=chosen.learning_rate,
        )  # fmt: skip

        def course(step: int) -> float:
            rise = min(1.0, (step + 1) / max(1, chosen.warmup))
            return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / chosen.total)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, course)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _taught(self, batch: Prepared) -> Prepared:
        """Ask the teacher, if there is one."""
        if self.teacher is None:
            return batch
        return dataclasses.replace(batch, taught=self.teacher.taught(batch))

    def _loss(self, logits: Tensor, batch: Prepared) -> Tensor:
        chosen = self.options.loss
        if batch.taught is None:
            return LOSSES[chosen.kind](logits, batch.classes, batch.weight, chosen)
        # Both parts learn their classes; source and background are learnt by their mean, which is
        # what the model says in the end.
        mean = merged(logits, self.options.teacher.share)
        own, teacher = logits[:, :BACKGROUND], logits[:, len(CLASS_NAMES) :]
        return (
            chosen.detection * of_sources(mean, batch.classes)
            + of_classes(own, batch.classes[:, :BACKGROUND], batch.weight)
            + of_classes(teacher, batch.taught, batch.weight)
        )
