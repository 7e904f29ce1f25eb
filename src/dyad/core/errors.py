"""The ways in which a run can fail through no fault of the code, and the exit status of each."""

from collections.abc import Generator
from contextlib import contextmanager

_BREAKS = dict.fromkeys(map(ord, "\n\r\v\f\0\x1c\x1d\x1e\x85\u2028\u2029"), " ")


class DyadError(Exception):
    """Base of every error that the command line reports as one line.

    `exit_status` is what the process ends with: 2 bad usage, 3 bad input, 4 missing weights.
    """

    exit_status = 1

    def __str__(self) -> str:
        # A name that a file gives may hold line breaks; what is said of it stays a line.
        return super().__str__().translate(_BREAKS)


class BadUsage(DyadError):
    """The options contradict each other or lie outside their range."""

    exit_status = 2


class BadInput(DyadError):
    """A file is missing, unreadable, empty, or does not hold what it should."""

    exit_status = 3


class MissingWeights(DyadError):
    """A network's weights are neither at hand nor to be had."""

    exit_status = 4


class MissingExtra(DyadError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    exit_status = 2

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> "MissingExtra":
        return cls(f"{purpose} needs the package {package!r}, which is not installed: pip install 'dyad-pose[{extra}]'")


@contextmanager
def about(what: object) -> Generator[None]:
    """Errors inside that do not name what they are about do so."""
    try:
        yield
    except BadInput as error:
        if str(what) in str(error):
            raise
        raise BadInput(f"{what}: {error}") from error


def one_line(error: Exception) -> str:
    """What an error of somebody else says, fit to stand inside a sentence of ours."""
    said = "".join(c if c.isprintable() else " " for c in str(error))
    return " ".join(said.split())[:300] or type(error).__name__
