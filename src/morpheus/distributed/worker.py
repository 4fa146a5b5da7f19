"""What a process of our own begins with: all that a task may need, which is there to stay.

Looking through it for garbage after every task took a sixth of the time of measuring; so importing
this module leaves all that is loaded out of the garbage collector. It is for workers only.
"""

import gc

import morpheus.distributed.stages  # noqa: F401

gc.collect()
gc.freeze()
