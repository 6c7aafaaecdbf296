"""Stock and orders on the way as tensors, which gradients pass through."""

from __future__ import annotations

import torch


class Shelf:
    """What a network sees of its products from one day to the next.

    Where waits are given, orders arrive when these say, and what is late is seen as due tomorrow: as of
    `rl.inventory.on_the_way.OrdersOnTheWay`, which replays the same days in whole units.
    """

    def __init__(self, pipeline: torch.Tensor, waits: torch.Tensor | None) -> None:
        """Begin with a stock.

        Args:
            pipeline: units on hand and due on the next days, `(n, lead_time)`.
            waits: days from order to arrival of each day's order, `(n_days, n)`; None for the lead time.
        """
        self.pipeline = pipeline
        self._waits = waits
        self._lead_time = pipeline.shape[1]
        if waits is not None:
            self._longest = int(waits.max())
            self._opening = pipeline
            # By days until promised; first, what should be here and isn't.
            self._promised = [torch.zeros_like(pipeline[:, 0]), *pipeline[:, 1:].unbind(1)]
            self._orders: list[torch.Tensor] = []

    def after(self, order: torch.Tensor, left_over: torch.Tensor) -> None:
        """Place a day's orders, keep what demand left over, and take in what arrives on the next day, `(n,)` each."""
        if self._waits is None:
            self._arrive_as_promised(order, left_over)
        else:
            self._arrive_by_chance(order, left_over, self._waits)

    def _arrive_as_promised(self, order: torch.Tensor, left_over: torch.Tensor) -> None:
        waiting, is_next = self.pipeline, self._lead_time > 1
        arriving = waiting[:, 1:2] if is_next else order[:, None]
        rest = [waiting[:, 2:], order[:, None]] if is_next else []
        self.pipeline = torch.cat([left_over[:, None] + arriving, *rest], dim=1)

    def _arrive_by_chance(self, order: torch.Tensor, left_over: torch.Tensor, waits: torch.Tensor) -> None:
        self._orders.append(order)
        late, due, *later = self._promised
        promised = [late + due, *later, order]
        stock, day = left_over, len(self._orders)
        if day < self._lead_time:
            stock = stock + self._opening[:, day]
            promised[0] = promised[0] - self._opening[:, day]
        for wait in range(1, min(day, self._longest) + 1):
            comes = self._orders[day - wait] * (waits[day - wait] == wait)
            place = max(self._lead_time - wait, 0)
            stock, promised[place] = stock + comes, promised[place] - comes
        self._promised = promised
        self.pipeline = torch.stack([stock, promised[1] + promised[0], *promised[2:]], dim=1)
