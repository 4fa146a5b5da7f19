"""How fast a windowed model is on a GPU: the network alone, the stages of the loop, whole runs.

`python benchmarks/bench_gpu.py` where there is a GPU; `--device cpu --precisions float32 --size 80
--seconds 1` shows that it works anywhere. It prints a Markdown table, of one run on one machine.
The network is that of Hausen & Robertson (2020) with random weights: the speed does not depend on
what it has learnt.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from bench_classify import NEEDED_MFLOP, processor_name
from bench_dense import random_model
from morpheus.inference import InferenceOptions, predict
from morpheus.inference.blocks import Block
from morpheus.inference.device import DeviceLoop
from morpheus.inference.device_windows import standardise, sum_along_x, windows_of
from morpheus.inference.engine import TorchEngine
from morpheus.model import Model, ModelConfig, WindowRecipe

GIGA, MEGA = 1e9, 1e6
TARGET = (10_000, 16_000)  # pixels of the mosaic that is to take less than ten minutes
CONFIG = ModelConfig(
    "hausen2020-random", ("H", "J", "V", "Z"), 0.06, "electron / s", WindowRecipe(40, 5, 1)
)


def seconds_each(action: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Wall time of an action that is repeated, until the device has done all of it."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    action()
    action()
    wait()
    repeats, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(3):
            action()
        wait()
        repeats += 3
    return (time.perf_counter() - start) / repeats


def matrix_rate(device: torch.device, precision: str, seconds: float) -> float:
    """Matrix multiplication in the network's arithmetic, without TF32, FLOP/s."""
    n = 8192 if device.type == "cuda" else 1024
    a = torch.randn(n, n, device=device)
    a = a.bfloat16() if precision == "bfloat16" else a
    return 2 * n**3 / seconds_each(lambda: a @ a, device, seconds)


def stage_times(engine: TorchEngine, batch: int, seconds: float) -> dict[str, float]:
    """Wall time per window of each stage alone, on windows side by side, 256 in a row."""
    block = Block(0, 0, 1, 1, max(1, batch // 256), min(batch, 256))
    pixels = torch.randn(4, *block.reach(40), device=engine.device)
    view = windows_of(pixels, 40)

    def cut() -> torch.Tensor:
        return torch.cat([view[block.starts()].flatten(0, 1)])

    with torch.inference_mode():
        windows = cut()
        inputs = standardise(windows)
        plain = inputs.contiguous()
        probabilities = engine.probabilities(inputs)
        stages: dict[str, Callable[[], object]] = {
            "network": lambda: engine.probabilities(inputs),
            "network, bands first": lambda: engine.probabilities(plain),
            "cut": cut,
            "standardise": lambda: standardise(windows),
            "sum": lambda: sum_along_x(probabilities, block),
        }
        return {
            name: seconds_each(action, engine.device, seconds) / block.n_windows
            for name, action in stages.items()
        }


def whole_run(model: Model, engine: TorchEngine, options: InferenceOptions, size: int) -> float:
    """Windows a second from arrays to class maps, the second time."""
    data = np.random.default_rng(0).normal(0.01, 0.05, (4, size, size)).astype(np.float32)
    mask = np.zeros((size, size), bool)
    done = [0]
    predict(data[:, :80, :80], mask[:80, :80], model.config, engine, options)
    start = time.perf_counter()
    predict(data, mask, model.config, engine, options, lambda n, _: done.append(n))
    return done[-1] / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--device", default="cuda", help="a device of PyTorch")
    parser.add_argument("--size", type=int, default=2000, help="side of the field, in pixels")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each rate")
    parser.add_argument(
        "--precisions",
        nargs="*",
        default=["float32", "bfloat16"],
        help="arithmetics; a processor without bfloat16 takes minutes for it",
    )
    parser.add_argument("--batches", type=int, nargs="*", default=[], help="other batch sizes")
    arguments = parser.parse_args()
    model, device = random_model(CONFIG), torch.device(arguments.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    print(f"{name}, PyTorch {torch.__version__}; whole runs of {arguments.size}^2 pixels\n")
    print(
        "| arithmetic | batch | network alone, windows/s | GFLOP/s | of the matrix rate | bands"
        " first, windows/s | cut, standardise, sum, share of the network |"
        " exact, windows/s | fast, windows/s | exact, 10,000 x 16,000 pixels, min |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    nothing, pixels = np.zeros((4, 40, 40), np.float32), np.zeros((40, 40), bool)
    for precision in arguments.precisions:
        rate = matrix_rate(device, precision, arguments.seconds)
        for asked in (None, *arguments.batches):
            exact = InferenceOptions(precision=precision, batch_size=asked)
            engine = TorchEngine(model, replace(exact, device=arguments.device))
            batch = DeviceLoop(nothing, pixels, CONFIG, engine).batch_size
            times = stage_times(engine, batch, arguments.seconds)
            network = times["network"]
            shares = "; ".join(f"{times[k] / network:.1%}" for k in ("cut", "standardise", "sum"))
            runs = [
                whole_run(model, engine, options, arguments.size)
                for options in (exact, replace(exact, stride=3, lattice=True))
            ]
            minutes = np.prod([n - 39 for n in TARGET]) / runs[0] / 60
            print(
                f"| {precision} | {batch} | {1 / network:,.0f} |"
                f" {NEEDED_MFLOP * MEGA / network / GIGA:,.0f} |"
                f" {NEEDED_MFLOP * MEGA / network / rate:.1%} |"
                f" {1 / times['network, bands first']:,.0f} | {shares} |"
                f" {runs[0]:,.0f} | {runs[1]:,.0f} | {minutes:,.1f} |"
            )


if __name__ == "__main__":
    main()
