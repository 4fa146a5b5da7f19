"""Pixel-level morphological classification of astronomical images.

`classify` is the main entry; it and its companions are imported when they are first used, so that
`import morpheus` is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from morpheus.provenance import morpheus_version

if TYPE_CHECKING:
    from morpheus.errors import MorpheusError
    from morpheus.inference import Classification, InferenceOptions
    from morpheus.mosaic import Mosaic, read_mosaic
    from morpheus.pipeline import classify

_HOMES = {
    "Classification": "morpheus.inference",
    "InferenceOptions": "morpheus.inference",
    "MorpheusError": "morpheus.errors",
    "Mosaic": "morpheus.mosaic",
    "classify": "morpheus.pipeline",
    "read_mosaic": "morpheus.mosaic",
}

__all__ = [
    "Classification",
    "InferenceOptions",
    "MorpheusError",
    "Mosaic",
    "__version__",
    "classify",
    "read_mosaic",
]

__version__ = morpheus_version()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'morpheus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
