"""The network of a model in PyTorch, and a model of what it has learnt."""

from typing import TypeAlias

import torch

from morpheus.errors import ModelError
from morpheus.model.config import DenseConfig, ModelConfig
from morpheus.model.dense import DenseNetwork
from morpheus.model.folder import Model
from morpheus.model.unet import UNet

__all__ = ["TorchNetwork", "build_network", "make_network", "model_of"]

TorchNetwork: TypeAlias = UNet | DenseNetwork
"""Networks in PyTorch."""

_COUNTER = "num_batches_tracked"  # of batch normalisation; nothing depends on it


def make_network(config: ModelConfig, outputs: int | None = None) -> TorchNetwork:
    """Make the network of a model, with random weights.

    Parameters
    ----------
    config : ModelConfig
        Bands, classes and network.
    outputs : int, optional
        Planes of the output; by default one for each class.

    Returns
    -------
    UNet or DenseNetwork
        On the CPU, in float32, in training mode.
    """
    n_bands, outputs = len(config.bands), outputs or len(config.classes)
    if isinstance(config.network, DenseConfig):
        return DenseNetwork(config.network, n_bands, outputs)
    return UNet(config.network, n_bands, outputs)


def build_network(model: Model) -> TorchNetwork:
    """Make the network of a model, with its weights, in evaluation mode.

    Parameters
    ----------
    model : Model
        A model as `morpheus.model.load_model` gives it.

    Returns
    -------
    UNet or DenseNetwork
        The network, on the CPU, in float32.

    Raises
    ------
    ModelError
        If names or shapes of the weights do not fit the configuration.
    """
    network = make_network(model.config)
    state = {name: torch.from_numpy(array.copy()) for name, array in model.weights.items()}
    state |= {
        name: buffer for name, buffer in network.state_dict().items() if name.endswith(_COUNTER)
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"the weights do not fit the configuration: {error}") from error
    return network.eval()


def model_of(network: TorchNetwork, config: ModelConfig) -> Model:
    """Take the weights out of a network.

    Parameters
    ----------
    network : UNet or DenseNetwork
        As `make_network` makes it from `config`.
    config : ModelConfig
        Of the model.

    Returns
    -------
    Model
        The model, with copies of the weights.
    """
    weights = {
        name: values.detach().cpu().float().numpy().copy()
        for name, values in network.state_dict().items()
        if not name.endswith(_COUNTER)
    }
    return Model(config, weights)
