"""Stage 2, tensors only: a model folder, its network, its normaliser, and models by name."""

from morpheus.model.config import DenseConfig, ModelConfig, UNetConfig, WindowRecipe
from morpheus.model.folder import Model, load_model, save_model
from morpheus.model.registry import (
    DEFAULT_MODEL,
    fetch_model,
    find_model,
    import_model,
    installed_models,
    model_directory,
    shipped_models,
)

__all__ = [
    "DEFAULT_MODEL",
    "DenseConfig",
    "Model",
    "ModelConfig",
    "UNetConfig",
    "WindowRecipe",
    "fetch_model",
    "find_model",
    "import_model",
    "installed_models",
    "load_model",
    "model_directory",
    "save_model",
    "shipped_models",
]
