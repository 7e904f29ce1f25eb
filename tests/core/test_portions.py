import logging
from itertools import chain

import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.core.memory import Portions, out_of_memory


def device(room: int, error: type[Exception] = torch.OutOfMemoryError, said: str = "CUDA out of memory"):
    """Work on a device that bears `room` things at once, and what was asked of it."""
    asked: list[int] = []

    def work(some: slice) -> list[int]:
        asked.append(some.stop - some.start)
        if some.stop - some.start > room:
            raise error(said)
        return list(range(some.start, some.stop))

    return work, asked


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2 GiB"),
        (RuntimeError, "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        (RuntimeError, "MPS backend out of memory"),
        (MemoryError, ""),
    ],
)
def test_parts_are_halved_until_they_fit_and_stay_small(error, said, caplog) -> None:
    work, asked = device(3, error, said)
    portions = Portions()
    with caplog.at_level(logging.WARNING):
        assert [*chain(*portions(13, 8, work))] == list(range(13))
        assert [*chain(*portions(5, 8, work))] == list(range(5))
    assert asked == [8, 4, 2, 2, 2, 2, 2, 2, 1, 2, 2, 1]
    assert [record.getMessage() for record in caplog.records][
        1
    ] == "Memory does not suffice for 4 at a time: going on with 2."


def test_where_one_does_not_fit_it_is_said_in_a_sentence() -> None:
    with pytest.raises(BadUsage, match=r"even one frame at a time; choose --device cpu") as raised:
        Portions()(3, 8, device(0)[0])
    assert raised.value.exit_status == 2


def test_other_errors_pass() -> None:
    for error in (RuntimeError("sizes do not match"), ValueError("no")):

        def work(_: slice, error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error), match=str(error)):
            Portions()(3, 8, work)
        assert not out_of_memory(error)
    assert Portions()(0, 8, work) == []


def test_flow_and_landmarks_are_the_same_in_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from dyad.models.raft import raft_small
    from dyad.stages.flow import NetworkFlow
    from tests.stages.test_flow import all_pairs, video

    torch.manual_seed(0)
    network = raft_small().eval()
    first, second = all_pairs(video(6, (72, 64)))
    whole = NetworkFlow(network, iterations=2, batch=5)(first, second)
    usual = network.forward

    def narrow(one, two, **options):
        if len(one) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return usual(one, two, **options)

    monkeypatch.setattr(network, "forward", narrow)
    torch.testing.assert_close(NetworkFlow(network, iterations=2, batch=5)(first, second).uv, whole.uv)
