"""Processes that make arrays may be ended at any moment: nobody waits for them without end."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, select, signal, time
import numpy as np
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from morpheus.simulate.processes import in_processes

def sends_a_part(self, data, *_):
    os.write(self._handle, bytes(data[: select.PIPE_BUF]))
    os.kill(os.getpid(), signal.SIGKILL)

def make(number):
    {inside}
    return {{"numbers": np.full((3, 4), number), "much": np.zeros(2**20)}}

if __name__ == "__main__":
    try:
        for made in in_processes(make, range(6), 2):
            assert made["much"].shape == (2**20,)
            print(made["numbers"].mean())
            {outside}
    except BrokenProcessPool:
        print("ended")
"""

WHOLE = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the program, which returns when all its processes have ended; nothing is left behind."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))

    def run(inside="pass", outside="pass"):
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.format(inside=inside, outside=outside))
        done = subprocess.run(
            [sys.executable, path], capture_output=True, text=True, check=False, timeout=120
        )
        assert list((tmp_path / "temporary").iterdir()) == []
        return done

    return run


def test_in_their_order(run):
    done = run("time.sleep(0.3 * (number == 1))")
    assert (done.returncode, done.stderr) == (0, "")
    assert [float(line) for line in done.stdout.split()] == WHOLE


def test_a_process_that_is_ended_while_it_sends_its_result_is_said(run):
    """The system keeps what is written to a pipe at once together up to PIPE_BUF bytes only."""
    # Those after it would be waited for, if it were not said.
    late = "time.sleep(600 * (number > 3))"
    done = run(f"if number == 3: Connection._send = sends_a_part\n    {late}")
    assert (done.returncode, done.stderr) == (0, "")
    *made, last = done.stdout.split()
    assert last == "ended"
    assert [float(one) for one in made] == WHOLE[: len(made)]


def test_what_nobody_wants_is_not_waited_for(run):
    done = run("time.sleep(600 * (number == 2))", "raise KeyboardInterrupt")
    assert done.stdout == "0.0\n"
    assert done.stderr.endswith("KeyboardInterrupt\n")
