"""Recipes: rates of one cycle, and what is refused."""

import json
from itertools import pairwise

import pytest

from dyad.core.errors import BadUsage
from dyad.training.published_recipes import BRANCHES
from dyad.training.recipes import FLOW, HELD_OUT, Optimisation, TrainingRecipe, worlds
from dyad.training.recipes_lifting import LIFTING
from dyad.training.unlabelled_lifting import SELF_TRAINING


def test_the_rate_rises_and_falls_in_straight_lines_and_never_is_0() -> None:
    how = Optimisation(steps=100, rate=0.1, warm_up=0.2)
    rates = [how.rate_at(step) for step in range(100)]
    assert max(rates) == pytest.approx(0.1)
    assert rates.index(max(rates)) == 20
    rises, falls = ({round(b - a, 12) for a, b in pairwise(part)} for part in (rates[:20], rates[20:]))
    assert len(rises) == len(falls) == 1
    assert min(rates) > 0


def test_without_a_warm_up_it_begins_at_the_top() -> None:
    assert Optimisation(steps=4, rate=1.0, warm_up=0).rate_at(0) == 1.0


@pytest.mark.parametrize("preset", FLOW)
def test_a_preset_is_json_and_says_everything(preset: str) -> None:
    recipe = FLOW[preset]
    told = recipe.to_json()
    assert json.loads(json.dumps(told)) == told
    assert told["worlds"][0]["scenes"]["people"] == [1, 4]
    assert recipe.with_(steps=7, seed=3).to_json() != told
    assert recipe.with_(steps=7).optimisation.rate == recipe.optimisation.rate


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": HELD_OUT},
        {"seed": -1},
        {"crop": (60, 96)},
        {"crop": (48, 96)},
        {"worlds": ()},
        {"streams": 0},
        {"steps": 0},
        {"rate": 0.0},
        {"averaging": 1.0},
        {"warm_up": 1.0},
        {"precision": "float8"},
    ],
)
def test_nonsense_is_refused(changes: dict) -> None:
    with pytest.raises(BadUsage):
        FLOW["cpu"].with_(**changes)


@pytest.mark.parametrize(
    ("recipe", "changes", "told"),
    [
        (FLOW["cpu"], {"streams": 0}, "streams is 1 or more, got 0"),
        (FLOW["cpu"], {"crop": (60, 96)}, r"crop has sides that are multiples of 8 px, got \(60, 96\)"),
        (FLOW["cpu"], {"worlds": worlds((100, 64))}, r"world 'people' has .* 8 px, got \(100, 64\)"),
        (FLOW["cpu"], {"worlds": ()}, "worlds are one or more, got none"),
        (LIFTING["cpu"], {"bodies": 0}, "bodies is 1 or more, got 0"),
        (LIFTING["cpu"], {"frames": 1}, "frames is 2 or more, got 1"),
        (LIFTING["cpu"], {"dilations": ()}, "dilations are one or more, got none"),
        (LIFTING["cpu"], {"held_out": 31}, r"multiples of cameras \(2\), got 16 and 31"),
        (BRANCHES["topdown"]["tiny"], {"epochs": -1}, "epochs is 0 or more, got -1"),
        (BRANCHES["topdown"]["tiny"], {"held_out": 1}, "held_out is 2 or more, got 1"),
        (SELF_TRAINING["tiny"], {"judged": 0}, "judged is 1 or more, got 0"),
        (SELF_TRAINING["tiny"], {"label": float("nan")}, "label is 0 or more, got nan"),
        (SELF_TRAINING["tiny"], {"masked": 1.0}, "masked is a share from 0 up to 1, got 1.0"),
    ],
)
def test_what_is_refused_is_named_with_what_came(recipe: TrainingRecipe, changes: dict, told: str) -> None:
    with pytest.raises(BadUsage, match=told):
        recipe.with_(**changes)
