import json

import numpy as np

from dyad.bench.plain import plain
from dyad.evaluation.coverage import Bin


def test_results_become_json_without_nan() -> None:
    value = {"bins": (Bin(0.0, np.inf, 3, float("nan")),), "x": [np.float64(0.5), 1, "a", None]}
    assert plain(value) == {"bins": [{"low": 0.0, "high": None, "count": 3, "share": None}], "x": [0.5, 1, "a", None]}
    json.dumps(plain(value), allow_nan=False)
