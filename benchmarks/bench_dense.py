"""How fast a dense model is on a processor, and what bfloat16 costs in accuracy.

`make bench` prints, for one model, one run and one machine: the network alone in float32 and
bfloat16 (pixels of the image that come out, a second), whole runs from arrays to class maps, and by
how much the probabilities in bfloat16 differ. `--networks` measures networks of other sizes, with
random weights: the speed does not depend on what a network has learnt.
"""

import argparse
import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import morpheus
from bench_classify import matrix_rate, processor_name
from morpheus.errors import OptionError
from morpheus.inference import InferenceOptions, make_engine
from morpheus.inference.engine import available_threads
from morpheus.model import DenseConfig, Model, ModelConfig, find_model, load_model
from morpheus.simulate import FieldOptions, simulate_field

MEGA, GIGA = 1e6, 1e9


def operations(config: ModelConfig) -> float:
    """Multiplications and additions for a pixel of the input."""
    total = 0.0
    shapes = config.network.parameter_shapes(len(config.bands), len(config.classes))
    for name, shape in shapes.items():
        if len(shape) == 4:
            level = 0 if name.startswith("head") else int(name.split(".")[1])
            coarser = 1 if name.startswith("lateral") else 0
            total += 2 * np.prod(shape) / 4 ** (level + 1 + coarser)
    return float(total)


def random_model(config: ModelConfig) -> Model:
    """Make a model with random weights."""
    rng = np.random.default_rng(0)
    shapes = config.network.parameter_shapes(len(config.bands), len(config.classes))
    weights = {
        name: (
            np.ones(shape)
            if name.endswith(("running_var", "norm.weight"))
            else rng.normal(0, 0.05, shape)
        ).astype(np.float32)
        for name, shape in shapes.items()
    }
    return Model(config, weights)


def network_rate(model: Model, precision: str, seconds: float) -> float:
    """Pixels that the network classifies in a second, on all cores: of the part that counts."""
    engine = make_engine(model, InferenceOptions(precision=precision))  # type: ignore[arg-type]
    window = model.config.window
    shape = (1, 2 * len(model.config.bands), window.size, window.size)
    windows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    engine(windows)
    with ThreadPoolExecutor(engine.workers) as pool:
        done, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds:
            n = 4 * engine.workers
            list(pool.map(engine, [windows] * n))
            done += n
    return done * window.inner**2 / passed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", default="hst4", help="dense model")
    parser.add_argument("--size", type=int, default=2048, help="side of the field, in pixels")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each rate")
    parser.add_argument(
        "--networks", nargs="*", default=[], help="others, filters:convolutions: 16,32,64:2,2,2"
    )
    arguments = parser.parse_args()
    model = load_model(find_model(arguments.model))
    rate = matrix_rate() / GIGA
    print(f"{processor_name()}, {available_threads()} cores; float32 matrices {rate:.0f} GFLOP/s\n")
    print("| network | values | kFLOP/pixel | float32, Mpixel/s | bfloat16, Mpixel/s |")
    print("|---|---|---|---|---|")
    precisions = available_precisions(model)
    models = {arguments.model: model}
    for text in arguments.networks:
        widths, down = (tuple(map(int, part.split(","))) for part in text.split(":"))
        network = DenseConfig(widths=widths, down_convolutions=down)
        models[text] = random_model(dataclasses.replace(model.config, network=network))
    for name, one in models.items():
        window = one.config.window
        kilo = operations(one.config) * (window.size / window.inner) ** 2 / 1e3
        rates = [
            f"{network_rate(one, precision, arguments.seconds) / MEGA:.1f}"
            if precision in precisions
            else "none here"
            for precision in ("float32", "bfloat16")
        ]
        print(f"| {name} | {one.n_parameters:,} | {kilo:.1f} | {rates[0]} | {rates[1]} |")
    compare(arguments.model, arguments.size, precisions)


def available_precisions(model: Model) -> list[str]:
    """Give the arithmetics that this processor has."""
    try:
        make_engine(model, InferenceOptions(precision="bfloat16"))
    except OptionError:
        return ["float32"]
    return ["float32", "bfloat16"]


def compare(name: str | Path, size: int, precisions: list[str]) -> None:
    """Classify a simulated field in both arithmetics, and compare."""
    field = simulate_field(FieldOptions(size=size, seed=5, defects=False, jobs=available_threads()))
    images = {
        band.name: image for band, image in zip(field.survey.bands, field.images, strict=True)
    }
    maps = {}
    print(f"\nA field of {size} x {size} pixels, from arrays to maps:\n")
    for precision in precisions:
        start = time.perf_counter()
        found = morpheus.classify(images, model=name, options=InferenceOptions(precision=precision))
        seconds = time.perf_counter() - start
        maps[precision] = found.mean.array
        print(f"- {precision}: {seconds:.1f} s, {size**2 / seconds / MEGA:.2f} Mpixel/s")
    if len(maps) == 1:
        return
    exact, short = maps["float32"], maps["bfloat16"]
    source = exact[-1] < 0.5
    classes = [one[:-1].argmax(0)[source] for one in (exact, short)]
    both = np.count_nonzero(source & (short[-1] < 0.5))
    either = np.count_nonzero(source | (short[-1] < 0.5))
    print(
        f"\nbfloat16 against float32: probabilities differ by {np.abs(exact - short).mean():.5f} in"
        f" the mean and {np.abs(exact - short).max():.3f} at most; pixels of sources agree to an"
        f" IoU of {both / either:.4f}, their class in {np.mean(classes[0] == classes[1]):.2%}"
    )


if __name__ == "__main__":
    main()
