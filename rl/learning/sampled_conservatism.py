"""The conservative term from a sample of a large catalogue.

Its soft maximum needs a sum of exponentials over all available actions. Here the sum is estimated from actions drawn
once for a whole batch, so that their values are one small matrix product: priority sampling of a fixed size without
replacement, each draw divided by its probability of being drawn, the logged action always counted as it is. The
estimated sum is unbiased; its logarithm lies a little below (Jensen), less so the more are drawn. Where as many are
drawn as there are, nothing is estimated.

Source: Duffield, Lund, Thorup (2007), Priority Sampling for Estimation of Arbitrary Subset Sums, section 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ActionSample:
    """Actions drawn for a batch.

    Attributes:
        actions: distinct, `(n_sampled,)`.
        log_weight: minus the logarithm of their probability of being drawn, given the others; infinitely low for
            actions that no row has available, which only fill the sample up, `(n_sampled,)`.
    """

    actions: torch.Tensor
    log_weight: torch.Tensor


def draw_actions(mask: torch.Tensor, n_sampled: int, generator: torch.Generator | None = None) -> ActionSample:
    """Draw `n_sampled` actions by priority sampling, weighted by how many rows offer each; return all if no more.

    Args:
        mask: True where available, `(n, n_actions)`.
        n_sampled: at least 1.
        generator: of the draw; None takes torch's own.
    """
    n_rows = mask.sum(dim=0, dtype=torch.float32)
    if n_sampled >= len(n_rows):
        every = torch.arange(len(n_rows), device=mask.device)
        return ActionSample(every, torch.zeros_like(n_rows).masked_fill(n_rows == 0, -torch.inf))
    uniform = torch.rand(n_rows.shape, device=mask.device, generator=generator)
    # 1 - u is above 0, so that no priority is infinite among the available.
    key = torch.where(n_rows > 0, (1 - uniform) / n_rows.clamp(min=1), torch.inf)
    drawn = key.topk(n_sampled + 1, largest=False, sorted=True)
    actions = drawn.indices[:-1]
    # The last key is the first that was not drawn; where it is infinite, all that are available were.
    probability = (n_rows[actions] * drawn.values[-1]).nan_to_num(nan=0.0).clamp(max=1.0)
    return ActionSample(actions, -probability.log().masked_fill(n_rows[actions] == 0, torch.inf))


def sampled_log_sum_exp(
    logged: torch.Tensor, values: torch.Tensor, sample: ActionSample, *, action: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Return an estimate of the log-sum-exp of values over each row's available actions, `(n, 1)`.

    Args:
        logged: value of the logged action, `(n, 1)`.
        values: of the sampled actions, `(n, n_sampled)`.
        sample: the actions.
        action: logged, `(n, 1)`.
        mask: True where available, `(n, n_actions)`.
    """
    counts = mask[:, sample.actions].bool() & (sample.actions != action.view(-1, 1))
    weighted = torch.where(counts, values + sample.log_weight, -torch.inf)
    return torch.cat([logged, weighted], dim=1).logsumexp(dim=1, keepdim=True)
