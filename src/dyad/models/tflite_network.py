"""Turns a TFLite graph into a plain `torch.nn.Module`: any device, any batch, differentiable, float32.

What never reaches the wanted outputs is dropped, constants are unpacked once, explicit padding and activations are
folded into the convolutions, and a 1×1 convolution that follows a bilinear enlargement is moved before it (the two
commute, since the weights of an interpolation add up to one), where it has a quarter of the pixels to do.
Tensors are NCHW here and NHWC in the file.
"""

import math
from collections import Counter

import torch
from torch import Tensor, nn

from dyad.models.tflite import Graph, Operator
from dyad.models.tflite_operators import (
    NONE,
    RELU,
    RELU6,
    Add,
    Concatenate,
    Conv,
    DepthToSpace,
    Enlarge,
    MaxPool,
    Pad,
    Rows,
)

MAX_CONSTANTS = 1 << 26  # elements of all constants of one network
MAX_VALUES = 1 << 28  # elements of one intermediate tensor at the nominal input size


class TFLiteNetwork(nn.Module):
    """The part of a graph that leads to the wanted outputs; call with (N,3,H,W), get a list of tensors.

    Args:
        graph: as read by `read_tflite`.
        outputs: tensor numbers of the graph, in the order wanted.

    Spatial outputs come as (N,C,H,W), reshaped ones as the file has them with N first. The parameters are frozen;
    `requires_grad_()` thaws them. Raises ValueError where the graph is not one of image operators that fit together.
    """

    def __init__(self, graph: Graph, outputs: tuple[int, ...]) -> None:
        super().__init__()
        builder = _Builder(graph, outputs)
        self.steps = nn.ModuleList(step for step, _, _ in builder.steps)
        self._plan = _with_releases([(ins, out) for _, ins, out in builder.steps], outputs)
        self._input, self._outputs = graph.inputs[0], outputs
        self.requires_grad_(False)
        self.eval()
        _check_runs(self, graph, outputs)

    def forward(self, images: Tensor) -> list[Tensor]:
        # With channels last, two CPU threads take less than half the time of the default layout.
        values = {self._input: images.contiguous(memory_format=torch.channels_last)}
        for step, (inputs, output, released) in zip(self.steps, self._plan, strict=True):
            values[output] = step(*(values[index] for index in inputs))
            for index in released:
                del values[index]
        return [values[index] for index in self._outputs]


def _with_releases(
    plan: list[tuple[tuple[int, ...], int]], outputs: tuple[int, ...]
) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """Adds to each step the tensors that nothing after it reads, so that memory is given back."""
    kept, complete = set(outputs), []
    for inputs, output in reversed(plan):
        released = tuple({index for index in inputs if index not in kept})
        kept.update(inputs)
        complete.append((inputs, output, released))
    return complete[::-1]


def _check_runs(network: TFLiteNetwork, graph: Graph, outputs: tuple[int, ...]) -> None:
    """Runs an empty batch (shapes without arithmetic) at the nominal size: damaged graphs fail here, not in use."""
    shape = graph.tensors[graph.inputs[0]].shape
    if len(shape) != 4 or not 1 <= min(shape) <= max(shape) <= 4096:
        raise ValueError(f"the input has shape {shape}, one image (1,H,W,C) expected")
    values = {graph.inputs[0]: torch.empty(0, shape[3], *shape[1:3])}
    try:
        for step, (inputs, output, _) in zip(network.steps, network._plan, strict=True):
            values[output] = step(*(values[index] for index in inputs))
            if (count := math.prod(values[output].shape[1:])) > MAX_VALUES:
                raise ValueError(f"a step makes {count} values")
    except (RuntimeError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"its operators do not fit together: {str(error).splitlines()[0]}") from error
    for index in outputs:
        value = values[index]
        got, wanted = (
            (1, *(value.permute(0, 2, 3, 1) if value.dim() == 4 else value).shape[1:]),
            graph.tensors[index].shape,
        )
        if got != wanted:
            raise ValueError(f"an output has shape {got}, the file says {wanted}")


class _Builder:
    """Collects the steps (module, input tensors, output tensor) that lead to the wanted outputs."""

    def __init__(self, graph: Graph, outputs: tuple[int, ...]) -> None:
        if len(graph.inputs) != 1:
            raise ValueError(f"it has {len(graph.inputs)} inputs, one expected")
        self.graph, self.budget = graph, MAX_CONSTANTS
        self.makers = {
            "ADD": self._add, "CONCATENATION": self._concatenation, "CONV_2D": self._conv_2d,
            "DEPTHWISE_CONV_2D": self._depthwise_conv_2d, "DEPTH_TO_SPACE": self._depth_to_space,
            "LOGISTIC": self._logistic, "MAX_POOL_2D": self._max_pool_2d, "PAD": self._pad,
            "RESHAPE": self._reshape, "RESIZE_BILINEAR": self._resize_bilinear,
        }  # fmt: skip
        self.producer = {index: step for step in graph.operators for index in step.outputs}
        self.steps: list[tuple[nn.Module, tuple[int, ...], int]] = []
        needed, wanted = [], set(outputs)
        for step in reversed(graph.operators):
            if len(step.outputs) == 1 and step.outputs[0] in wanted and step.kind not in ("DEQUANTIZE", "DENSIFY"):
                needed.append(step)
                wanted.update(index for index in step.inputs if index >= 0)
        known = set(graph.inputs)
        for step in reversed(needed):
            self._append(step)
            _, inputs, output = self.steps[-1]
            if output in known or not known.issuperset(inputs):
                raise ValueError(f"operator {step.kind} reads a tensor before it is made")
            known.add(output)
        if not known.issuperset(outputs):
            raise ValueError("an output is never computed")
        self.steps = _commute_enlargements(_fold_padding(self.steps, outputs), outputs)

    def _append(self, step: Operator) -> None:
        make = self.makers.get(step.kind)
        if make is None:
            raise ValueError(f"operator {step.kind} cannot be computed at run time")
        images, module = make(step)
        self.steps.append((module, images, step.outputs[0]))

    def _constant(self, step: Operator, place: int) -> Tensor:
        if len(step.inputs) <= place or step.inputs[place] < 0:
            raise ValueError(f"operator {step.kind} lacks input {place}")
        index = step.inputs[place]
        for _ in range(4):  # DENSIFY, then DEQUANTIZE, at most
            maker = self.producer.get(index)
            if maker is None or self.graph.tensors[index].data is not None:
                break
            if maker.kind not in ("DEQUANTIZE", "DENSIFY") or not maker.inputs or maker.inputs[0] < 0:
                raise ValueError(f"input {place} of operator {step.kind} is not a constant")
            index = maker.inputs[0]
        values = self.graph.tensors[index].dense()
        self.budget -= values.size
        if self.budget < 0:
            raise ValueError(f"it has more than {MAX_CONSTANTS} constants")
        if values.dtype.kind == "f":
            result = torch.from_numpy(values.astype("float32"))
            if not bool(torch.isfinite(result).all()):
                raise ValueError(f"a constant of operator {step.kind} is not finite")
            return result
        return torch.from_numpy(values.astype("int64"))

    def _images(self, step: Operator, count: int) -> tuple[int, ...]:
        if len(step.inputs) < count or min(step.inputs[:count], default=-1) < 0:
            raise ValueError(f"operator {step.kind} has {len(step.inputs)} inputs, {count} expected")
        return step.inputs[:count]

    def _window(self, step: Operator) -> dict[str, tuple[int, int]]:
        option = step.options
        stride = (option["stride_h"], option["stride_w"])
        dilation = (option.get("dilation_h", 1), option.get("dilation_w", 1))
        if not 1 <= min(stride + dilation) <= max(stride + dilation) <= 64:
            raise ValueError(f"operator {step.kind} has stride {stride} and dilation {dilation}")
        return {"stride": stride, "dilation": dilation}

    def _activation(self, step: Operator) -> int:
        if step.options["activation"] not in (NONE, RELU, RELU6):
            raise ValueError(f"activation {step.options['activation']} is not supported")
        return step.options["activation"]

    def _convolution(self, step: Operator, weight: Tensor, groups: int) -> tuple[tuple[int, ...], nn.Module]:
        bias = self._constant(step, 2) if len(step.inputs) > 2 and step.inputs[2] >= 0 else None
        if not weight.is_floating_point() or (bias is not None and bias.shape != weight.shape[:1]):
            raise ValueError(f"the weights of an operator {step.kind} do not fit its bias")
        padding = None if step.options["padding"] == 0 else (0, 0, 0, 0)
        module = Conv(
            weight, bias, groups=groups, padding=padding, activation=self._activation(step), **self._window(step)
        )
        return self._images(step, 1), module

    def _conv_2d(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        weight = self._constant(step, 1)
        if weight.dim() != 4 or min(weight.shape) < 1:
            raise ValueError(f"a convolution has weights of shape {tuple(weight.shape)}")
        return self._convolution(step, weight.permute(0, 3, 1, 2), 1)

    def _depthwise_conv_2d(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        weight = self._constant(step, 1)
        if weight.dim() != 4 or weight.shape[0] != 1 or min(weight.shape) < 1 or step.options["multiplier"] != 1:
            raise ValueError(f"a depthwise convolution has weights of shape {tuple(weight.shape)}")
        return self._convolution(step, weight.permute(3, 0, 1, 2), weight.shape[3])

    def _max_pool_2d(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        window = (step.options["filter_h"], step.options["filter_w"])
        stride = self._window(step)["stride"]
        # SAME with window = stride pads nothing on sizes that divide; other pools do not occur in these networks.
        if window != stride or step.options["activation"] != 0:
            raise ValueError(f"a max pool of {window} with stride {stride} is not supported")
        return self._images(step, 1), MaxPool(window, stride)

    def _add(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        return self._images(step, 2), Add(self._activation(step))

    def _logistic(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        return self._images(step, 1), nn.Sigmoid()

    def _concatenation(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        images = self._images(step, max(len(step.inputs), 1))
        rank = len(self.graph.tensors[step.outputs[0]].shape)
        axis = step.options["axis"] % max(rank, 1)
        if axis == 0 or self._activation(step):
            raise ValueError("a concatenation runs over the batch or has an activation")
        return images, Concatenate(axis if rank < 4 else (0, 2, 3, 1)[axis])

    def _depth_to_space(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        block = step.options["block_size"]
        if not 1 <= block <= 64:
            raise ValueError(f"a depth-to-space has block size {block}")
        return self._images(step, 1), DepthToSpace(block)

    def _pad(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        pads = self._constant(step, 1)
        if pads.shape != (4, 2) or pads.min() < 0 or pads.max() > 64 or bool(pads[0].any() | pads[3].any()):
            raise ValueError("padding is only supported along height and width, at most 64 pixels")
        top, bottom, left, right = (int(value) for value in pads[1:3].flatten())
        return self._images(step, 1), Pad((top, bottom, left, right))

    def _reshape(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        shape = self.graph.tensors[step.outputs[0]].shape
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise ValueError(f"a reshape to {shape} is not supported")
        return self._images(step, 1), Rows(shape[-1], len(shape))

    def _resize_bilinear(self, step: Operator) -> tuple[tuple[int, ...], nn.Module]:
        images = self._images(step, 1)
        source = self.graph.tensors[images[0]].shape
        target = tuple(int(value) for value in self._constant(step, 1).flatten())
        if step.options["align_corners"] or not step.options["half_pixel_centers"]:
            raise ValueError("a bilinear resize does not use half-pixel centres")
        if len(source) != 4 or len(target) != 2 or min(source + target) < 1:
            raise ValueError(f"a bilinear resize from {source} to {target} is not possible")
        factor = (target[0] // source[1], target[1] // source[2])
        if (factor[0] * source[1], factor[1] * source[2]) != target or not 1 <= min(factor) <= max(factor) <= 64:
            raise ValueError(f"a bilinear resize from {source} to {target} is not by a whole factor")
        return images, Enlarge(factor)


_Steps = list[tuple[nn.Module, tuple[int, ...], int]]


def _fold_padding(steps: _Steps, outputs: tuple[int, ...]) -> _Steps:
    """Lets each unpadded convolution that reads a padded tensor do the padding itself."""
    pads = {output: (module, inputs[0]) for module, inputs, output in steps if isinstance(module, Pad)}
    folded: _Steps = []
    for module, inputs, output in steps:
        if isinstance(module, Conv) and inputs[0] in pads and module.padding == (0, 0, 0, 0):
            pad, source = pads[inputs[0]]
            module.padding, inputs = pad.padding, (source,)
        folded.append((module, inputs, output))
    read = {index for _, inputs, _ in folded for index in inputs} | set(outputs)
    return [step for step in folded if not (isinstance(step[0], Pad) and step[2] not in read)]


def _commute_enlargements(steps: _Steps, outputs: tuple[int, ...]) -> _Steps:
    """Moves 1x1 convolutions before the enlargement they follow; the activation stays behind it."""
    uses = Counter(index for _, inputs, _ in steps for index in inputs) + Counter(outputs)
    enlarged = {
        output: (place, module) for place, (module, _, output) in enumerate(steps) if isinstance(module, Enlarge)
    }
    result = list(steps)
    for place, (module, inputs, output) in enumerate(steps):
        if inputs[0] not in enlarged or uses[inputs[0]] != 1 or not isinstance(module, Conv):
            continue
        if module.weight.shape[2:] != (1, 1) or module.stride != (1, 1) or any(module.padding or ()):
            continue
        before, enlarge = enlarged[inputs[0]]
        _, source, middle = steps[before]
        result[before] = (module, source, middle)
        result[place] = (Enlarge(enlarge.factor, module.activation), (middle,), output)
        module.activation = 0
    return result
