"""The smallest recipe that renders people."""

from dyad.synthetic.random_scenes import Recipe
from dyad.training.recipes import FlowRecipe, Optimisation, World

_SCENES = Recipe(people=(1, 2), size=(96, 72), seconds=0.3, pairs=0.0, furniture=2, detail="low", samples=1)
TINY = FlowRecipe(
    Optimisation(steps=4, rate=2e-4),
    worlds=(World("few", 1.0, _SCENES),),
    crop=(64, 64),
    batch=2,
    iterations=2,
    judged=2,
    streams=2,
    pairs=2,
    window=2,
    repeats=2,
    held_out=2,
)
