"""What evaluates the network: OpenVINO on processors, PyTorch on GPUs."""

import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ModelError, OptionError
from morpheus.inference.options import InferenceOptions
from morpheus.inference.signal_stack import signal_stack_kept
from morpheus.model import Model
from morpheus.model.config import DenseConfig

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Engine", "available_threads", "make_engine"]

_CPU_BATCH, _GPU_BATCH = 32, 1024
_DENSE_CPU_BATCH, _DENSE_GPU_BATCH = 1, 8  # windows of hundreds of pixels
_SIZES = 2  # of windows that the network is kept for, as large as it is: within an image, at an end


class Engine(Protocol):
    """Evaluates the network on normalised windows. Safe to call from several threads.

    Attributes
    ----------
    name : str
        Library and its version, for the report.
    precision : str
        'float32' or 'bfloat16'.
    batch_size : int
        The most windows that go in at once.
    workers : int
        How many threads should call it at a time.
    """

    name: str
    precision: str
    batch_size: int
    workers: int

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evaluate the network.

        Parameters
        ----------
        windows : ndarray of float32, shape (n, channel, y, x)
            The normaliser's, at most `batch_size`. Of the model's size; a dense network takes
            smaller ones too that it can halve.

        Returns
        -------
        ndarray of float32, shape (n, class, y, x)
            Probabilities of the part of each window that counts: all but the margins.
        """
        ...  # pragma: no cover


def make_engine(model: Model, options: InferenceOptions) -> Engine:
    """Make the engine for a device.

    Parameters
    ----------
    model : Model
        The model to evaluate.
    options : InferenceOptions
        Device, precision, threads and batch size.

    Returns
    -------
    Engine
        Ready to be called.

    Raises
    ------
    OptionError
        If the device or the precision is not available.
    """
    if options.device == "cpu":
        return OpenVINOEngine(model, options)
    return TorchEngine(model, options)


def available_threads() -> int:
    """Count the processor cores that this process may use.

    Returns
    -------
    int
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover (macOS, Windows)


class OpenVINOEngine:
    """The network on a processor.

    One single-threaded stream per core: as measured, faster than all cores on one batch. A dense
    network is given one window at a time, whatever the batch size: its windows are large enough,
    and so what it says of one cannot depend on the others. It is compiled for every size of window
    by itself, which takes a tenth of a second: graphs for any size are 4% slower.

    Parameters
    ----------
    model : Model
        The model to evaluate.
    options : InferenceOptions
        Precision, threads and batch size.
    """

    def __init__(self, model: Model, options: InferenceOptions) -> None:
        import openvino as ov  # noqa: PLC0415 (0.4 s, not needed for --help)

        with signal_stack_kept():
            core = ov.Core()
            bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if options.precision == "bfloat16" and not bfloat16:
            raise OptionError(
                "this processor has no bfloat16 instructions; choose float32, or auto"
            )
        use_bfloat16 = bfloat16 and options.precision != "float32"
        self.name = f"OpenVINO {ov.get_version().split('-')[0]}"
        self.precision = "bfloat16" if use_bfloat16 else "float32"
        dense = model.config.is_dense
        self.batch_size = options.batch_size or (_DENSE_CPU_BATCH if dense else _CPU_BATCH)
        self.workers = options.threads or available_threads()
        self._at_once = 1 if dense else self.batch_size
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if use_bfloat16 else "f32",
            "NUM_STREAMS": self.workers,
            "INFERENCE_NUM_THREADS": self.workers,
            # Or all processes would have their threads on the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._core, self._model = core, model
        self._lock = threading.Lock()
        self._networks: dict[tuple[int, int], _Compiled] = {}
        size = model.config.window.size
        self._network((size, size))  # what cannot be prepared is to be known early

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evaluate the network; see `Engine`."""
        step = self._at_once
        if len(windows) <= step:
            return self._infer(windows)
        parts = [self._infer(windows[i : i + step]) for i in range(0, len(windows), step)]
        return np.concatenate(parts)

    def _network(self, shape: tuple[int, int]) -> "_Compiled":
        """Give the network for windows of a size."""
        with self._lock:
            network = self._networks.pop(shape, None)
            if network is None:
                graph = _graph(self._model, self._at_once, shape)
                try:
                    network = _Compiled(self._core.compile_model(graph, "CPU", self._settings))
                except RuntimeError as error:
                    reason = str(error).strip().splitlines()[-1]
                    raise ModelError(
                        f"{self._model.config.name} cannot be prepared for this processor: {reason}"
                    ) from error
            self._networks[shape] = network
            if len(self._networks) > _SIZES:
                del self._networks[next(iter(self._networks))]  # the one unused for the longest
            return network

    def _infer(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        n = len(windows)
        if n < self._at_once:  # the graph's shapes are fixed
            windows = np.concatenate(
                [windows, np.zeros((self._at_once - n, *windows.shape[1:]), np.float32)]
            )
        return self._network((windows.shape[-2], windows.shape[-1]))(windows)[:n]


class _Compiled:
    """A network for windows of one size, with memory of its own in every thread."""

    def __init__(self, network: Any) -> None:
        self._network, self._of_thread = network, threading.local()

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._network.create_infer_request()
        result = request.infer([windows], share_inputs=True, share_outputs=True)
        # The request's own memory is written again by the thread's next call.
        probabilities: NDArray[np.float32] = result[0].copy()
        return probabilities


def _graph(model: Model, batch_size: int, shape: tuple[int, int]) -> Any:
    """Build the graph of a model's kind of network."""
    if isinstance(model.config.network, DenseConfig):
        from morpheus.model.dense_graph import build_dense_graph  # noqa: PLC0415

        return build_dense_graph(model, model.config.network, batch_size, shape)
    from morpheus.model.openvino_graph import build_graph  # noqa: PLC0415

    return build_graph(model, model.config.network, batch_size)


class TorchEngine:
    """The network on whatever PyTorch calls a device.

    Parameters
    ----------
    model : Model
        The model to evaluate.
    options : InferenceOptions
        Device, precision and batch size.

    Attributes
    ----------
    device : torch.device
        Where the network is.
    asked_batch : int or None
        The batch size that was asked for; None: what takes windows may choose one.
    """

    def __init__(self, model: Model, options: InferenceOptions) -> None:
        try:
            import torch  # noqa: PLC0415 (seconds, and an extra)
        except ModuleNotFoundError as error:
            raise OptionError(
                f"device {options.device!r} needs PyTorch, which is not installed:"
                " pip install 'morpheus-sky[torch]' (in a checkout: '.[torch]')"
            ) from error
        from morpheus.model.torch_network import build_network  # noqa: PLC0415

        self._torch = torch
        try:
            self.device = torch.device(options.device)
            self._network = build_network(model).to(self.device)
            torch.zeros(1, device=self.device).cpu()  # a device that holds data
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).strip().splitlines()[0]
            raise OptionError(f"device {options.device!r} is not available: {reason}") from error
        self.name = f"PyTorch {torch.__version__}"
        use_bfloat16 = options.precision == "bfloat16" or (
            options.precision == "auto"
            and self.device.type == "cuda"
            and torch.cuda.is_bf16_supported(including_emulation=False)
        )
        self.precision = "bfloat16" if use_bfloat16 else "float32"
        default = _DENSE_GPU_BATCH if model.config.is_dense else _GPU_BATCH
        self.asked_batch = options.batch_size
        self.batch_size = options.batch_size or default
        self.workers = 1
        self._margin = model.config.window.margin

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Evaluate the network; see `Engine`."""
        torch = self._torch
        x = torch.from_numpy(windows).to(self.device, memory_format=torch.channels_last)
        probabilities: NDArray[np.float32] = self.probabilities(x).cpu().numpy()
        return probabilities

    def probabilities(self, windows: "Tensor") -> "Tensor":
        """Evaluate the network where it is.

        Parameters
        ----------
        windows : Tensor of float32, shape (n, channel, y, x)
            The normaliser's, on the engine's device.

        Returns
        -------
        Tensor of float32, shape (n, class, y, x)
            Probabilities of the part of each window that counts, on the same device.
        """
        torch = self._torch
        # float32 means float32: no TF32 in convolutions.
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"),
        ):
            probabilities: Tensor = torch.softmax(self._network(windows, self._margin).float(), 1)
        return probabilities
