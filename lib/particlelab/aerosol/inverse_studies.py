"""Parameters of the notebook that infers strength and wind from series of sizes, and what is asked of whom."""

from typing import Annotated

from pydantic import Field, model_validator

from particlelab.aerosol.dataset import Survey
from particlelab.parameters import parameter

NAMES = ("strength", "wind")
BY_SERIES, BY_STEPS = "whole series", "learned steps"  # the two likelihoods
STILL, KNOWN, UNKNOWN = "still air", "wind known", "wind unknown"  # what is asked
WINDY = 100_000  # numbers of simulations with wind stand so far above those without
STRANGERS = 3000  # persons that models are asked about have numbers above this; none of them is learned from


class InverseStudy(Survey):
    """Series of sizes, and what models tell of their parameters."""

    wind_low: float = parameter(-0.3, "Smallest wind, where there is one", unit="m/s", low=-0.5, high=0)
    wind_high: float = parameter(0.3, "Largest wind, where there is one", unit="m/s", low=0, high=0.5)
    series: int = parameter(40, "Series in still air, and as many with wind, that are asked about", low=4, high=100_000)
    frames_compared: tuple[Annotated[int, Field(ge=2, le=1000)], ...] = parameter(
        (5, 10, 20, 30), "Numbers of frames that are enough, or not"
    )
    train: bool = parameter(False, "Learn from new simulations; otherwise models that ship are asked")
    training: int = parameter(400, "Simulations that models learn from", low=50, high=100_000)
    calibration: int = parameter(
        200, "More of them, by which the likelihood of steps is calibrated", low=20, high=100_000
    )
    epochs: int = parameter(60, "Epochs of the stochastic differential equation", low=1, high=10_000)
    members: int = parameter(3, "Networks of it", low=1, high=20)
    workers: int = parameter(2, "Processes", low=1, high=64)

    @model_validator(mode="after")
    def _together(self):
        if max(self.frames_compared) > self.frames:
            raise ValueError(f"frames_compared must be at most frames = {self.frames}, got {self.frames_compared}")
        if self.training + self.calibration > STRANGERS:
            raise ValueError(
                f"training + calibration = {self.training + self.calibration} must be at most {STRANGERS}: persons "
                "beyond are those that models are asked about"
            )
        if self.first_simulation + self.series - 1 > WINDY:
            raise ValueError(
                f"first_simulation + series - 1 = {self.first_simulation + self.series - 1} must be at most {WINDY}: "
                "simulations beyond are others, some of which models learn from"
            )
        return self
