"""The lengths of a body that a generator of motion needs, measured on its shape."""

from dataclasses import dataclass

import numpy as np

from dyad.synthetic.bodies.body import BONES, Shape


@dataclass(frozen=True)
class Anatomy:
    """Lengths in m.

    Attributes:
        height: standing height. thigh, shin, upper_arm, forearm: joint to joint.
        hip, shoulder: half the distance between the left and the right joint.
        ankle: height of the ankle joint above the sole. heel, toe: how far behind and before the ankle the sole's
            heel and ball lie.
        chest_height: of the shoulder joints above the floor at rest. hand: wrist to knuckles.
    """

    height: float
    thigh: float
    shin: float
    upper_arm: float
    forearm: float
    hip: float
    shoulder: float
    ankle: float
    heel: float
    toe: float
    chest_height: float
    hand: float

    @classmethod
    def of(cls, shape: Shape) -> "Anatomy":
        """Measured on a body; means of both sides."""
        at = {name: shape.joints[index] for index, name in enumerate(BONES)}

        def both(first: str, second: str) -> float:
            pairs = (np.linalg.norm(at[f"{s}{first}"] - at[f"{s}{second}"]) for s in ("Left", "Right"))
            return float(sum(pairs) / 2)

        rest = shape.rest("low")
        sole = rest[(rest[:, 1] < 0.03) & (rest[:, 0] > 0)]
        ankle = at["LeftFoot"]
        return cls(
            height=shape.stature,
            thigh=both("UpLeg", "Leg"),
            shin=both("Leg", "Foot"),
            upper_arm=both("Arm", "ForeArm"),
            forearm=both("ForeArm", "Hand"),
            hip=float(at["LeftUpLeg"][0] - at["RightUpLeg"][0]) / 2,
            shoulder=float(at["LeftArm"][0] - at["RightArm"][0]) / 2,
            ankle=float(ankle[1]),
            heel=float(ankle[2] - sole[:, 2].min()),
            toe=float(at["LeftToeBase"][2] - ankle[2]),
            chest_height=float(at["LeftArm"][1]),
            hand=both("Hand", "HandFinger1"),
        )

    @property
    def leg(self) -> float:
        return self.thigh + self.shin

    @property
    def scale(self) -> float:
        """Size against a height of 1.75 m."""
        return self.height / 1.75
