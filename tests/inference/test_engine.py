"""What engines leave behind in the process."""

import multiprocessing
import subprocess
import sys

import numpy as np

import morpheus

_BANDS = "F160W", "F125W", "F606W", "F850LP"

# In a process of its own, since a signal that is handled on a stack that is gone ends the process.
_ENGINES_COME_AND_GO = """
import gc, os, signal
from morpheus.inference import InferenceOptions, make_engine
from morpheus.model import find_model, load_model

model = load_model(find_model("hst4"))
first = make_engine(model, InferenceOptions())
second = make_engine(model, InferenceOptions())
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGUSR1, lambda number, frame: print("heard"))
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_signals_are_heard_after_engines_have_come_and_gone():
    ended = subprocess.run(
        [sys.executable, "-c", _ENGINES_COME_AND_GO], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "heard\n"), ended.stderr


def _sum(_: int) -> float:
    rng = np.random.default_rng(0)
    images = {band: rng.normal(size=(64, 64)).astype(np.float32) for band in _BANDS}
    return float(np.asarray(morpheus.classify(images).mean.array)[0].sum())


def test_a_forked_process_classifies_too():
    here = _sum(0)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map_async(_sum, [0]).get(timeout=60) == [here]
