"""Pixel-level morphological classification of astronomical images.

`classify` is the main entry; it and its companions (`__init__.pyi`) are imported when they are
first used, so that `import morpheus` is quick.
"""

import lazy_loader

from morpheus.provenance import morpheus_version

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = morpheus_version()
