"""See who is found while a run goes on: `python examples/watch_it_work.py VIDEO OUT`."""

import sys

import dyad


def main(video: str, output: str) -> None:
    with dyad.stream(video, output) as stream:
        for found in stream:
            print(f"{found.time:7.2f} s: {len(found)} people")
        result = stream.result
    print(f"{len(result.tracks.people)} of them stayed; the page is in {result.folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
