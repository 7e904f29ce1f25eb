"""Options that every `dyad train` has in common."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Rate = Annotated[float | None, Parameter(help="Highest learning rate.")]
Seed = Annotated[int | None, Parameter(help="Of the weights and of everything that is drawn.")]
Precision = Annotated[
    str | None,
    Parameter(help="float32, bfloat16 or float16; less than float32 only where the device gains by it."),
]
Minutes = Annotated[float | None, Parameter(help="Stop after so many.")]
Motions = Annotated[
    Path | None,
    Parameter(help="Folder of motion capture (BVH, AMC, npz) for a part of the motion; without, all is made up."),
]
