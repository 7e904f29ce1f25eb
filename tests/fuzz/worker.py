"""A process that reads damaged copies for some seconds and says which went wrong; too much memory is refused."""

import faulthandler
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from tests.fuzz.attempts import Bench
from tests.fuzz.table import READERS

LIMIT = 300.0
"""Seconds until a hang ends the process; a read that takes too much of the processor is a fault long before."""
HEADROOM = 6 << 30


def serve(name: str, first: int, seconds: float) -> None:
    """Attempts from number `first` on; one line of JSON before each, and one more for each fault."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    # No damaged file may cost the machine: what asks for more gets an error, and is found by it.
    resource.setrlimit(resource.RLIMIT_DATA, (HEADROOM, HEADROOM))
    with tempfile.TemporaryDirectory(prefix="dyad-fuzz-") as place:
        bench = Bench.of(name, READERS[name], Path(place))
        end, number = time.monotonic() + seconds, first
        while time.monotonic() < end:
            sys.stdout.write(json.dumps({"reader": name, "at": number}) + "\n")
            sys.stdout.flush()
            faulthandler.dump_traceback_later(LIMIT, exit=True)
            fault = bench.attempt(number)
            faulthandler.cancel_dump_traceback_later()
            if fault:
                sys.stdout.write(json.dumps({"reader": name, "number": number, "fault": fault}) + "\n")
                sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    faulthandler.enable()
    for each in sys.argv[3:]:
        serve(each, int(sys.argv[1]), float(sys.argv[2]))
