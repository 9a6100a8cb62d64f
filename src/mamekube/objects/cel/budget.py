"""What evaluations may still cost."""

from __future__ import annotations

from mamekube.objects.cel.errors import CelBudgetExceeded


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
