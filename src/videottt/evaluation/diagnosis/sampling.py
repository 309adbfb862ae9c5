"""Say how many frames and random draws a diagnosis takes, and key its draws."""

from dataclasses import dataclass

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import DrawKey

HALVES = 2
# Images of one forward pass where the method does not say; it changes no number.
CHUNK = 8


@dataclass(frozen=True)
class Sampling:
    """The number of frames, and of draws of each random quantity.

    Attributes:
        frames_used: number of frames, and of stills, if there are as many.
        masks: number of masks of a frame, even: gradients take two independent halves.
        point_draws: number of draws of the points of ℓ_m, even likewise.
        random_steps: number of random displacements of a frame.
    """

    frames_used: int = 8
    masks: int = 4
    point_draws: int = 2
    random_steps: int = 3

    def __post_init__(self) -> None:
        """Check that there is something to average, and that draws have two halves.

        Raises:
            InputError: a number is below 1, or odd where it must be even.
        """
        for name in ("frames_used", "random_steps"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"diagnose: {name} is {getattr(self, name)}, but must be at least 1"
                )
        for name in ("masks", "point_draws"):
            if (value := getattr(self, name)) < HALVES or value % HALVES:
                raise InputError(
                    f"diagnose: {name} is {value}, but must be even and at least 2: squares of "
                    "gradients are taken between two halves"
                )


def draws_of(key: JobKey, *place: str | int) -> DrawKey:
    """Return the key of a random draw of a diagnosis, other than any draw of the stream."""
    return *key.draws_of("diagnosis"), *place
