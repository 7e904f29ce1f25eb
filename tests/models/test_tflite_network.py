"""The operators against plain loops over the definition."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.models.tflite import Graph, Operator, Tensor, read_tflite
from dyad.models.tflite_network import TFLiteNetwork
from dyad.models.weights import BLAZEPOSE_LANDMARKS

F32 = np.dtype("<f4")
I32 = np.dtype("<i4")
RANDOM = np.random.default_rng(3)
WINDOW = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "activation": 0, "multiplier": 1}


class Net:
    """Builds a graph step by step; tensor 0 is the image."""

    def __init__(self, *shape: int) -> None:
        self.tensors = [Tensor("image", shape, F32, None, None)]
        self.steps: list[Operator] = []

    def constant(self, values: np.ndarray) -> int:
        dtype = I32 if values.dtype.kind == "i" else F32
        self.tensors.append(Tensor("c", values.shape, dtype, values.astype(dtype).ravel(), None))
        return len(self.tensors) - 1

    def step(self, kind: str, inputs: list[int], shape: tuple[int, ...], options: Mapping[str, int]) -> int:
        self.tensors.append(Tensor(kind, shape, F32, None, None))
        self.steps.append(Operator(kind, tuple(inputs), (len(self.tensors) - 1,), options))
        return len(self.tensors) - 1

    def run(self, output: int, image: np.ndarray) -> np.ndarray:
        graph = Graph(tuple(self.tensors), tuple(self.steps), (0,), (output,))
        batch = torch.from_numpy(image.astype(F32)).permute(0, 3, 1, 2)
        (result,) = TFLiteNetwork(graph, (output,))(batch)
        return (result.permute(0, 2, 3, 1) if result.dim() == 4 else result).numpy()


def slow_convolution(image, weight, bias, stride, dilation, same, depthwise) -> np.ndarray:
    """One image (H,W,C), weight (O,kh,kw,C) or (1,kh,kw,C), by the definition of TensorFlow's padding."""
    height, width, _ = image.shape
    kh, kw = ((k - 1) * dilation + 1 for k in weight.shape[1:3])
    if same:
        rows, columns = -(-height // stride), -(-width // stride)
        top = max((rows - 1) * stride + kh - height, 0) // 2
        left = max((columns - 1) * stride + kw - width, 0) // 2
    else:
        rows, columns, top, left = (height - kh) // stride + 1, (width - kw) // stride + 1, 0, 0
    channels = weight.shape[3] if depthwise else weight.shape[0]
    result = np.zeros((rows, columns, channels))
    for row, column, i, j in np.ndindex(rows, columns, *weight.shape[1:3]):
        y, x = row * stride - top + i * dilation, column * stride - left + j * dilation
        if 0 <= y < height and 0 <= x < width:
            pixel = image[y, x]
            result[row, column] += weight[0, i, j] * pixel if depthwise else weight[:, i, j] @ pixel
    return result + bias


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize(("stride", "dilation", "kernel"), [(1, 1, 3), (2, 1, 3), (2, 1, 5), (1, 2, 3), (2, 1, 2)])
@pytest.mark.parametrize("size", [(8, 12), (9, 7)])
def test_convolution(depthwise: bool, same: bool, stride: int, dilation: int, kernel: int, size) -> None:
    image = RANDOM.normal(size=(2, *size, 4))
    weight = RANDOM.normal(size=(1 if depthwise else 6, kernel, kernel, 4))
    bias = RANDOM.normal(size=4 if depthwise else 6)
    wanted = np.stack([slow_convolution(one, weight, bias, stride, dilation, same, depthwise) for one in image])
    net = Net(1, *size, 4)
    options = WINDOW | {"padding": 0 if same else 1, "stride_h": stride, "stride_w": stride}
    options |= {"dilation_h": dilation, "dilation_w": dilation}
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    out = net.step(kind, [0, net.constant(weight), net.constant(bias)], (1, *wanted.shape[1:]), options)
    np.testing.assert_allclose(net.run(out, image), wanted, atol=1e-4)


@pytest.mark.parametrize(("activation", "low", "high"), [(0, -np.inf, np.inf), (1, 0, np.inf), (3, 0, 6)])
def test_padding_and_activation_are_folded(activation: int, low: float, high: float) -> None:
    image = RANDOM.normal(size=(1, 6, 8, 3)) * 8
    weight, bias = RANDOM.normal(size=(5, 3, 3, 3)), RANDOM.normal(size=5)
    wider = np.pad(image, ((0, 0), (1, 2), (0, 1), (0, 0)))
    wanted = np.clip(slow_convolution(wider[0], weight, bias, 2, 1, False, False), low, high)
    net = Net(1, 6, 8, 3)
    padded = net.step("PAD", [0, net.constant(np.array([[0, 0], [1, 2], [0, 1], [0, 0]]))], (1, 9, 9, 3), {})
    options = WINDOW | {"padding": 1, "stride_h": 2, "stride_w": 2, "activation": activation}
    out = net.step("CONV_2D", [padded, net.constant(weight), net.constant(bias)], (1, *wanted.shape), options)
    np.testing.assert_allclose(net.run(out, image)[0], wanted, atol=1e-3)


def test_enlargement_before_a_small_convolution() -> None:
    """Half-pixel bilinear by hand, then 1x1 and ReLU; the network computes the convolution first."""
    image = RANDOM.normal(size=(1, 3, 4, 2))
    weight, bias = RANDOM.normal(size=(5, 1, 1, 2)), RANDOM.normal(size=5)

    def weights(size: int) -> np.ndarray:
        source = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
        return np.clip(1 - np.abs(source[:, None] - np.arange(size)), 0, None)

    big = np.einsum("yi,xj,nijc->nyxc", weights(3), weights(4), image)
    wanted = np.maximum(big @ weight[:, 0, 0].T + bias, 0)
    net = Net(1, 3, 4, 2)
    options = {"align_corners": 0, "half_pixel_centers": 1}
    middle = net.step("RESIZE_BILINEAR", [0, net.constant(np.array([6, 8]))], (1, 6, 8, 2), options)
    constants = [net.constant(weight), net.constant(bias)]
    out = net.step("CONV_2D", [middle, *constants], (1, 6, 8, 5), WINDOW | {"padding": 0, "activation": 1})
    np.testing.assert_allclose(net.run(out, image), wanted, atol=1e-5)


def test_depth_to_space_keeps_the_channels_of_a_pixel_together() -> None:
    image = np.arange(2 * 3 * 8, dtype=float).reshape(1, 2, 3, 8)
    net = Net(1, 2, 3, 8)
    out = net.step("DEPTH_TO_SPACE", [0], (1, 4, 6, 2), {"block_size": 2})
    result = net.run(out, image)[0]
    for row, column in np.ndindex(4, 6):
        first = 2 * (2 * (row % 2) + column % 2)
        assert result[row, column].tolist() == image[0, row // 2, column // 2, first : first + 2].tolist()


def test_reshape_concatenate_pool_add_logistic() -> None:
    image = RANDOM.normal(size=(2, 4, 4, 3))
    net = Net(1, 4, 4, 3)
    pool = {"filter_h": 2, "filter_w": 2, "padding": 1} | WINDOW | {"stride_h": 2, "stride_w": 2}
    pooled = net.step("MAX_POOL_2D", [0], (1, 2, 2, 3), pool)
    summed = net.step("ADD", [pooled, pooled], (1, 2, 2, 3), {"activation": 0})
    squashed = net.step("LOGISTIC", [summed], (1, 2, 2, 3), {})
    shape = net.constant(np.array([1, -1, 3]))
    parts = [net.step("RESHAPE", [index, shape], (1, rows, 3), {}) for index, rows in ((0, 16), (squashed, 4))]
    out = net.step("CONCATENATION", parts, (1, 20, 3), {"axis": 1, "activation": 0})
    best = image.reshape(2, 2, 2, 2, 2, 3).max(axis=(2, 4))
    wanted = np.concatenate([image.reshape(2, 16, 3), (1 / (1 + np.exp(-2 * best))).reshape(2, 4, 3)], 1)
    np.testing.assert_allclose(net.run(out, image), wanted, atol=1e-6)


def test_graphs_that_do_not_fit_are_refused() -> None:
    net = Net(1, 4, 4, 3)
    weight = net.constant(RANDOM.normal(size=(5, 3, 3, 7)))
    out = net.step("CONV_2D", [0, weight], (1, 4, 4, 5), WINDOW | {"padding": 0})
    with pytest.raises(ValueError, match="fit together"):
        net.run(out, np.zeros((1, 4, 4, 3)))
    net.steps[-1] = Operator("ADD", (0, out), (out,), {"activation": 0})
    with pytest.raises(ValueError, match="before it is made"):
        net.run(out, np.zeros((1, 4, 4, 3)))
    net.steps.clear()
    with pytest.raises(ValueError, match="never computed"):
        net.run(out, np.zeros((1, 4, 4, 3)))


def test_hostile_graphs_build_or_are_refused(blazepose_folder: Path) -> None:
    from .test_tflite import structure

    data = (blazepose_folder / BLAZEPOSE_LANDMARKS.file).read_bytes()
    graph = read_tflite(data)
    places, random, refused = structure(data, graph), np.random.default_rng(11), 0
    wanted = (graph.outputs[0],)
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.choice(places, 6):
            damaged[place] = random.integers(256)
        try:
            TFLiteNetwork(read_tflite(bytes(damaged)), wanted)
        except ValueError:
            refused += 1
    assert 10 < refused <= 60
