"""The stages composed.

Names (`__init__.pyi`) are imported when they are first used: who classifies does not wait for what
measures.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
