"""Labels in, a table out: classes, photometry and shapes of every source.

Names (`__init__.pyi`) are imported when they are first used: who reads a catalogue does not wait
for what measures one.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
