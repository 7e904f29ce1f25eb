import re

import pytest

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17, LSP14
from dyad.evaluation.flow_scores import FLOW_METRICS, RELEASED
from dyad.evaluation.protocols import PROTOCOLS, protocol_of
from dyad.evaluation.scores import POSE_METRICS
from dyad.evaluation.strict import JOINTS14

NAMES = [
    "mupots-released", "mupots-strict", "muco", "jta", "h36m-p1", "h36m-p2", "h36m-14", "3dpw", "3dpw-occluded",
    "sintel-human", "coco", "crowdpose", "dyad-synth",
]  # fmt: skip


def test_the_names_are_those_that_others_script_against() -> None:
    assert [p.name for p in PROTOCOLS] == NAMES
    assert all(protocol_of(name).name == name for name in NAMES)
    with pytest.raises(
        BadUsage, match=r"no protocol 'mupots'; there are mupots-released, mupots-strict, .*dyad-synth$"
    ):
        protocol_of("mupots")


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_says_all_that_must_be_agreed_on(name: str) -> None:
    protocol = protocol_of(name)
    assert protocol.sentence.endswith(".")
    assert not re.search(r"\. [A-Z]", protocol.sentence)
    assert protocol.metrics or protocol.flow_metrics
    assert set(protocol.flow_metrics) <= {*FLOW_METRICS, RELEASED}
    if protocol.measures == "poses":
        assert set(protocol.metrics) <= {*POSE_METRICS, "auc"}
        assert set(protocol.root)
        assert protocol.joints


@pytest.mark.parametrize("name", NAMES)
def test_whoever_fits_to_the_truth_says_so(name: str) -> None:
    protocol = protocol_of(name)
    fits = [m for m in protocol.metrics if m.startswith(("pa_", "n_")) or "_pa_" in m]
    assert bool(protocol.helped_by) == bool(fits or name == "mupots-released")


def test_strict_ones_take_nothing() -> None:
    for name in ("mupots-strict", "muco", "jta"):
        assert protocol_of(name).helped_by == ()
        assert protocol_of(name).matching == "oks"


def test_the_tables_of_the_papers() -> None:
    fourteen = protocol_of("h36m-14")
    assert set(fourteen.joints) == set(LSP14.names)
    assert (fourteen.fps, fourteen.first, fourteen.cameras) == (10.0, 1, ("60457274",))
    assert fourteen.root == ("left_hip", "right_hip")
    assert protocol_of("h36m-p1").joints == BODY17.names
    assert protocol_of("mupots-released").joints == JOINTS14
    assert protocol_of("mupots-released").auc_m[0] == 0
    assert protocol_of("3dpw-occluded").hardest == 3000
    assert protocol_of("sintel-human").scenes == ("alley_2", "bamboo_2", "cave_2", "cave_4")
