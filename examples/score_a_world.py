"""How good is a run? Draw people whose truth is known, run on them, score: `python examples/score_a_world.py`."""

import dyad
from dyad.synthetic.demo import demo_clip


def main(seconds: float = 2.0, size: tuple[int, int] = (640, 360)) -> None:
    clip = demo_clip(seed=3, seconds=seconds, size=size, people=3)
    video, truth = clip.whole()
    found = dyad.run(video).tracks
    print(dyad.evaluate(found, truth, "dyad-synth"))


if __name__ == "__main__":
    main()
