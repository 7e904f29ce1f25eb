"""A process that runs the command line on one file after another: paths come in on standard input, results go out."""

import contextlib
import faulthandler
import io
import json
import signal
import sys
import traceback

import torch

from dyad.cli import main


def run(arguments: list[str]) -> dict:
    """Exit status, standard output and standard error of one run; -1 and the traceback for what should not be."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as leave:
            status = leave.code
        except BaseException:
            status = -1
            traceback.print_exc()
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


def serve(limit: float) -> None:
    torch.set_num_threads(1)
    answers = sys.stdout
    for line in sys.stdin:
        # A hang ends the process, whatever it hangs in, with a stack of every thread: after so much work, or, asleep,
        # after ten times as long, since on a busy machine all else is slow too.
        faulthandler.dump_traceback_later(10 * limit, exit=True)
        _expire(limit)
        answer = run(json.loads(line))
        _expire(0)
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _expire(seconds: float) -> None:
    """End the process after so many seconds of the processor; 0 for never. Nothing where there is no such timer."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    faulthandler.enable()
    if hasattr(signal, "SIGPROF"):
        faulthandler.register(signal.SIGPROF, chain=True)
    serve(float(sys.argv[1]))
