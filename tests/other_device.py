"""A device that every machine has: it computes on the CPU, but refuses what CUDA and MPS refuse.

Whoever forgets to bring a tensor along, or asks for 64 bits there, gets an error as a GPU gives it. Tensors there call
themselves "meta", for want of another device that torch knows everywhere; other than torch's own they hold numbers.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("meta")
_aten = torch.ops.aten
_MOVES = (_aten._to_copy, _aten.copy_)
_INDEXES = (_aten.index, _aten.index_put, _aten.index_put_)


class There(Tensor):
    """A tensor on the other device; `here` is what it holds."""

    here: Tensor
    is_meta = False

    @staticmethod
    def __new__(cls, here: Tensor) -> "There":
        if here.dtype == torch.float64:
            raise TypeError("Cannot convert to float64: the device does not support it")
        made = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=DEVICE,
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    def tolist(self) -> Any:
        return self.here.tolist()

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, device=device or DEVICE)

    def __getitem__(self, at: Any) -> Tensor:
        return super().__getitem__(_index(at))

    def __setitem__(self, at: Any, value: Any) -> None:
        super().__setitem__(_index(at), value)

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert the other device's tensor to numpy: copy it to host memory first")

    def __array__(self, *_: Any) -> Any:
        return self.numpy()


def _index(at: Any) -> Any:
    """Lists as tensors that hold numbers, which torch would not make of them."""
    if isinstance(at, tuple):
        return tuple(map(_index, at))
    return torch.tensor(at, device=DEVICE) if isinstance(at, list) else at


class Drawing(torch.Generator):
    """Draws on the CPU and says that it draws on the device that was asked for."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> "Drawing":
        place = torch.device(device)
        made = super().__new__(cls, "cpu" if place == DEVICE else place)
        made.place = place
        return made

    @property
    def device(self) -> torch.device:
        return self.place


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


@contextmanager
def other_device() -> Generator[list[str]]:
    """While it lasts, "meta" is such a device. Gives the kinds of device for which autocast was asked so far."""
    narrowed: list[str] = []
    real_tensor, real_autocast = torch.tensor, torch.autocast

    def tensor(data: Any, *, device: Any = None, **more: Any) -> Tensor:
        # Torch's own "meta" would forget the numbers.
        made = real_tensor(data, **more)
        return made if device is None else made.to(device)

    def autocast(device_type: str, *policy: Any, **more: Any) -> AbstractContextManager[Any]:
        narrowed.append(device_type)
        return nullcontext() if device_type == DEVICE.type else real_autocast(device_type, *policy, **more)

    with _Mode():
        # Loads parts of torch that would be confused by what follows.
        torch.zeros(1)
        with patch.multiple(torch, tensor=tensor, Generator=Drawing, autocast=autocast):
            yield narrowed


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
    there = any(isinstance(value, There) for value in given)
    # Made where the above does not see it: it would hold no numbers.
    assert not any(value.is_meta for value in given), f"{func} was given a tensor of torch's own meta device"
    goes = there
    if kwargs.get("device") is not None:
        goes = torch.device(kwargs["device"]) == DEVICE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if there and func.overloadpacket not in _MOVES:
        _check(func, args, given)
    found = func(*tree_map_only(There, _here, args), **tree_map_only(There, _here, kwargs))
    if func.overloadpacket is _aten.copy_:
        return args[0]
    if not goes:
        return found
    known = {id(value.here): value for value in given if isinstance(value, There)}
    return tree_map_only(Tensor, lambda value: known[id(value)] if id(value) in known else There(value), found)


def _here(value: There) -> Tensor:
    return value.here


def _check(func: Any, args: Any, given: list[Tensor]) -> None:
    """RuntimeError where tensors of both devices meet. Single numbers may, and indices that come from the CPU."""
    if func.overloadpacket in _INDEXES and isinstance(args[0], There):
        given = [value for value in args[:3:2] if isinstance(value, Tensor)]
    if any(value.dim() and not isinstance(value, There) for value in given):
        raise RuntimeError(f"Expected all tensors to be on the same device, got two: {func}")
