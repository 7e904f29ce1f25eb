"""One ONNX graph of images, opened with onnxruntime and called on batches."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from dyad.core.errors import BadInput, BadUsage, MissingExtra, MissingWeights


class OnnxGraph:
    """A graph with one input of images (N, 3, H, W) float32.

    Args:
        file: the .onnx file.
        device: "cpu", "cuda", or "auto" for whichever onnxruntime offers.
        threads: threads inside an operator; None leaves it to onnxruntime.
        side: height and width of the input where the graph leaves them open.

    Raises:
        MissingExtra: onnxruntime is not installed.
        MissingWeights: no file, or not an ONNX graph.
        BadInput: a graph of something other than images.
    """

    def __init__(self, file: str | Path, *, device: str = "cpu", threads: int | None = None, side: int = 640) -> None:
        self.file = Path(file)
        runtime = _library()
        if not self.file.is_file():
            raise MissingWeights(
                f"{file}: expected an ONNX file, got nothing there: give the path of the exported graph"
            )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        self._errors = _errors(runtime)
        try:
            self._session = runtime.InferenceSession(str(file), options, providers=_providers(runtime, device))
        except self._errors as error:
            raise MissingWeights(
                f"{file}: expected an ONNX graph, got: {_line(error)}; export or copy it again"
            ) from error
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or (shape[1] not in (3, None) and not isinstance(shape[1], str)):
            found = ", ".join(f"{i.name} {i.shape}" for i in inputs)
            raise BadInput(
                f"{file}: expected one input of images (N, 3, H, W), got {found or 'none'}: take another graph"
            )
        self._input = inputs[0].name
        self._batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        self.height, self.width = (n if isinstance(n, int) and n > 0 else side for n in shape[2:])
        self.last_sizes = [
            o.shape[-1] if o.shape and isinstance(o.shape[-1], int) else None for o in self._session.get_outputs()
        ]
        self.fixed_size = all(isinstance(n, int) and n > 0 for n in shape[2:])

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name for images (N, 3, H, W); a graph of a fixed batch size is called as often as needed."""
        step = self._batch or len(images)
        parts = [self._run(images[start : start + step], step) for start in range(0, len(images), step)]
        names = [output.name for output in self._session.get_outputs()]
        return {name: _join([part[n] for part in parts]) for n, name in enumerate(names)}

    def _run(self, images: np.ndarray, step: int) -> list[np.ndarray]:
        count = len(images)
        if count < step:
            images = np.concatenate((images, np.zeros((step - count, *images.shape[1:]), images.dtype)))
        try:
            outputs = self._session.run(None, {self._input: np.ascontiguousarray(images, np.float32)})
        except self._errors as error:
            raise BadInput(f"{self.file}: the graph failed on images {images.shape}: {_line(error)}") from error
        return [output[:count] if output.ndim else output for output in map(np.asarray, outputs)]


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Outputs of several calls along the batch; with suppression inside the graph, each has its own count of rows."""
    if len(parts) == 1:
        return parts[0]
    rows = max(part.shape[1] if part.ndim > 1 else 0 for part in parts)
    padded = [
        np.pad(part, [(0, 0), (0, rows - part.shape[1])] + [(0, 0)] * (part.ndim - 2)) if part.ndim > 1 else part
        for part in parts
    ]
    return np.concatenate(padded)


def _library() -> ModuleType:
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise MissingExtra.of("onnxruntime", "onnx", "the ONNX detector") from error


def _errors(runtime: ModuleType) -> tuple[type[Exception], ...]:
    """onnxruntime's exceptions, which have no common base."""
    state = runtime.capi.onnxruntime_pybind11_state
    names = (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoModel",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
    return tuple(getattr(state, name) for name in names)


def _providers(runtime: ModuleType, device: str) -> list[str]:
    cuda = "CUDAExecutionProvider" in runtime.get_available_providers()
    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise BadUsage(
            f"the ONNX detector expects the device 'cpu', 'cuda' or 'auto', got {device!r}: choose one of them"
        )
    if device.startswith("cuda") and not cuda:
        raise BadUsage("the installed onnxruntime knows no CUDA: install onnxruntime-gpu, or choose the device 'cpu'")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if cuda and device != "cpu" else ["CPUExecutionProvider"]


def _line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
