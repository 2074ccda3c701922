"""What pilot runs may be for, and what they take where nothing is said."""

from __future__ import annotations

from typing import Literal

Goal = Literal["both", "loss", "params"]
GOALS: dict[str, float] = {"both": 0.5, "loss": 0.0, "params": 1.0}
"""The weight of ln N* against ln L."""
SHARE, RUNS, SEEDS, MOST_RUN = 0.01, 36, 3, 0.35
"""Our choice: pilots of 1 % of the target (Llama 3's took less, OLMo's ladder 1 % of its 7B), as many runs as a 6x6
grid has, three seeds of one point for the noise, no run above 35 % of the budget."""
