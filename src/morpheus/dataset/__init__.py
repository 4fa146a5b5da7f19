"""Datasets of examples on disk: pixels, what they are, and the table of their sources.

Names (`__init__.pyi`) are imported when they are first used: votes can be read without zarr.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
