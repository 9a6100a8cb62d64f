"""What evaluations may still cost."""

from __future__ import annotations

from mamekube.foundation.slices import breathe
from mamekube.objects.cel.errors import CelBudgetExceeded

STEP_COST = 500
"""What is spent between two places where an evaluation can be held: a sixth of a millisecond at most."""


class Budget:
    """What evaluations may still cost. One budget can be spent by several expressions."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, cost: int) -> None:
        """Raises CelBudgetExceeded."""
        self.left -= cost
        if self.left < 0:
            raise CelBudgetExceeded


class Meter(Budget):
    """The budget of one evaluation, which can be held when another step's cost is spent."""

    __slots__ = ("_behind",)

    def __init__(self, left: int) -> None:
        super().__init__(min(left, STEP_COST))
        self._behind = left - self.left

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            self._refill()

    @property
    def total(self) -> int:
        """What is left in all."""
        return self.left + self._behind

    def _refill(self) -> None:
        if self.left + self._behind < 0:
            raise CelBudgetExceeded
        step = min(self._behind, STEP_COST - self.left)
        self.left += step
        self._behind -= step
        breathe()
