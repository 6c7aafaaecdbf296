"""Weeks of a shop, played by policies that see what the log shows: its own columns, or a pipeline's rows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

from conf.kernel_rules import rules_of
from conf.specs.scenario import Pipeline
from rl.data.logged_episodes import BoolArray, FloatArray
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks, Probabilities
from rl.shops.promotion.log_observations import LogMemory
from rl.shops.promotion.shop import Shop
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.week_responses import WeekResponses


@dataclass(frozen=True)
class WatchedWeeks:
    """Shoppers on their way, and what a pipeline's rows would show of them.

    Attributes:
        weeks: the shoppers.
        memory: what deliveries told of them; None where policies see the shop's own columns.
    """

    weeks: LockstepWeeks
    memory: LogMemory | None

    @classmethod
    def begin(cls, shop: Shop, chance: Chance, first: int, n_shoppers: int, pipeline: Pipeline | None) -> WatchedWeeks:
        """Return the shoppers before their first week.

        Args:
            shop: the shop.
            chance: whose numbers decide.
            first: index of the first shopper.
            n_shoppers: how many there are.
            pipeline: whose rows policies see; None for the shop's own columns.
        """
        memory = None if pipeline is None else LogMemory(rules_of(pipeline), pipeline.source.zone)
        return cls(LockstepWeeks(shop, chance, first, n_shoppers), memory)

    def branched(self) -> WatchedWeeks:
        """Return the same shoppers with the same past, who go on by themselves."""
        weeks = copy.copy(self.weeks)
        weeks.history = copy.deepcopy(weeks.history)
        weeks.distance, weeks.has_opted_out = weeks.distance.copy(), weeks.has_opted_out.copy()
        return replace(self, weeks=weeks, memory=None if self.memory is None else self.memory.branched())

    def observe(self) -> Columns:
        """Return what policies see of the shoppers who are there at the next decision."""
        if self.memory is None:
            return self.weeks.observe(self.weeks.present())
        return self.memory.observe(self.weeks)

    def play(self, probabilities: Probabilities) -> WeekResponses:
        """Let a policy that sees what `observe` returns decide the next week; return what came of it."""

        def seeing(_: Columns, mask: BoolArray) -> FloatArray:
            return probabilities(self.observe(), mask)

        return self.play_on_columns(probabilities if self.memory is None else seeing)

    def play_on_columns(self, probabilities: Probabilities) -> WeekResponses:
        """Do the same by a policy that sees the shop's own columns, as the one that made the log does."""
        played = self.weeks.play(probabilities)
        if self.memory is not None:
            self.memory.take_in(self.weeks, played)
        return played


Player = Callable[[WatchedWeeks], WeekResponses]
"""Plays the next week of shoppers."""
