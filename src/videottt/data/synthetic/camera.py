"""Place the camera, and move it along the street."""

from typing import NamedTuple

import numpy as np


class Camera(NamedTuple):
    """A pinhole camera: position in metres (x right, z along the street), angles in radians."""

    x: float
    height: float
    z: float
    yaw: float
    pitch: float


class Drive:
    """A smooth drive along the street at about `pace` metres a frame."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.pace = float(rng.uniform(0.6, 0.8))
        self._period = rng.uniform(70, 130, 5)
        self._start = rng.uniform(0, 2 * np.pi, 5)
        self._reach = rng.uniform(0.6, 1.0, 5) * (3.5, 0.3, 0.04, 0.035, 0.008)

    def at(self, frame: float) -> Camera:
        """Return the camera's pose at `frame`."""
        angle = 2 * np.pi * frame / self._period + self._start
        surge, sway, bounce, yaw, pitch = (self._reach * np.sin(angle)).tolist()
        return Camera(1.35 + sway, 1.5 + bounce, self.pace * frame + surge, yaw, pitch)


def stopped_camera(rng: np.random.Generator) -> Camera:
    """Draw the camera's pose for a still."""
    return Camera(
        float(rng.uniform(-0.5, 2.2)),
        float(rng.uniform(1.35, 1.75)),
        float(rng.uniform(0, 10)),
        float(rng.uniform(-0.1, 0.1)),
        float(rng.uniform(-0.02, 0.02)),
    )
