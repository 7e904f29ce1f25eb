"""The measuring of the agreement score, on scores whose worth is known and on one small rendered clip."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from dyad.bench.agreement import auroc, bench_agreement, calibration
from dyad.bench.agreement_cases import HELD_OUT, Case, cases, material
from dyad.bench.agreement_fit import Fit, Rows, judged
from dyad.core.errors import BadInput, BadUsage
from dyad.refinement.agreement_features import names
from dyad.refinement.agreement_model import Model


@pytest.fixture(scope="module")
def found() -> list[Case]:
    given = material(HELD_OUT + 4, number=0, flow=None, estimator=None, frames=9)
    # A stand-in for a detector that looks at the pictures: it says what is true.
    return list(cases(replace(given, found=given.truth)))


def test_auroc_of_known_orders():
    assert auroc(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])) == 1.0
    assert auroc(np.array([0.9, 0.1]), np.array([False, True])) == 0.0
    assert auroc(np.array([0.5, 0.5, 0.5]), np.array([False, True, True])) == 0.5
    assert np.isnan(auroc(np.array([0.5]), np.array([True])))


def test_calibration_of_what_is_said_as_often_as_it_happens():
    chance = np.random.default_rng(0)
    said = chance.uniform(size=100_000)
    right = calibration(said, chance.uniform(size=said.size) < said)
    assert right["error"] < 0.01
    assert len(right["bins"]) == 10
    assert calibration(said, chance.uniform(size=said.size) < said / 2)["error"] == pytest.approx(0.25, abs=0.01)


def test_cases_know_what_is_off(found):
    kinds = {case.kind for case in found if case.estimator == "noise"}
    assert {"none xy", "harsh xy", "confused lifted", "detector refined"} <= kinds
    exact = next(case for case in found if case.kind == "none xy")
    assert np.nanmax(exact.off) < 1e-4
    assert not exact.sides.any()
    assert not exact.people.any()
    harsh, mild = (next(case for case in found if case.kind == f"{name} xy") for name in ("harsh", "mild"))
    assert np.nanmean(harsh.off) > 2 * np.nanmean(mild.off) > 0


def test_bench_says_what_it_should(found, tmp_path):
    scores = bench_agreement(found, plot=tmp_path / "curve.svg")
    assert set(scores) == {"noise", "real", "all", "made up"}
    noise = scores["noise"]
    assert noise["joints"] == sum(int(judged(case).sum()) for case in found if case.estimator == "noise")
    assert 0.02 < noise["positive_rate"] < 0.5
    assert noise["auroc"] > 0.75 > noise["auroc_confidence"]
    assert noise["auroc_interval"][0] <= noise["auroc"] <= noise["auroc_interval"][1] + 1e-9
    assert scores["real"]["auroc_3d"] is None or 0 <= scores["real"]["auroc_3d"] <= 1
    assert ElementTree.parse(tmp_path / "curve.svg").getroot().tag.endswith("svg")
    with pytest.raises(BadUsage, match="svg"):
        bench_agreement(found, plot=tmp_path / "curve.png")


def test_a_table_is_fitted_and_kept(found, tmp_path):
    table = Fit(epochs=4, hidden=(4,))(found, {"clips": 1})
    table.save(tmp_path / "table.json")
    again = Model.load(tmp_path / "table.json")
    rows = Rows.of(found)
    np.testing.assert_allclose(again(rows.values), table(rows.values), atol=2e-3)
    assert auroc(table(rows.values), rows.off > 0.05) > 0.75
    assert rows.say.mean() == pytest.approx(1, abs=1e-4)
    unknown = np.full((1, len(names())), np.nan, np.float32)
    assert 0 < float(table(unknown)[0]) < 1
    (tmp_path / "table.json").write_text('{"schema": "other"}')
    with pytest.raises(BadInput, match="no table of agreement"):
        Model.load(tmp_path / "table.json")
    with pytest.raises(BadInput, match="got none"):
        Fit()([])
