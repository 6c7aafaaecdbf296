"""Errors of the learning side.

RlError
├── DatasetError          transitions that can't become a dataset (mixed specs, damaged files)
│   └── NothingToLearn    transitions that rightly become none: too few days, one action, nothing earned
├── TrainingError         a candidate that can't be trained (NaN loss, no transitions)
├── PolicyError           a policy that can't be loaded, or observations it can't decide on
│   └── NothingCounted    no product was counted on the last day, so that there is nothing to order by
├── EvaluationError       input that no estimator may turn into a number
│   └── UnsupportedEstimator  the estimator refuses this log, with the reason (shown, not fatal)
├── RegistryError         MLflow entries that contradict each other, a stale approval
│   └── RegistryChanged   a registry that isn't what the home knows; a person has to settle it
├── ServingError          a service that can't start, or can't decide
│   ├── StoreError        histories that can't be kept or read
│   └── DecisionLogError  a log of decisions that can't be written: nothing is decided unlogged
├── ShopError             a simulated shop that can't be built
├── LoopError             days and nights of a simulated shop that can't go on
├── InventoryError        stock, demand or orders that contradict each other, or that no plan can be made of
├── BackupError           a home that can't be backed up, or a backup that can't be restored
└── ForgettingError       a source whose data stay, since nobody confirmed it, or a policy learned from them may serve
"""

from conf.errors import NightcartError


class RlError(NightcartError):
    """Something the learning side can't go on with."""


class DatasetError(RlError):
    """Transitions that can't become a dataset."""


class NothingToLearn(DatasetError):
    """Transitions from which rightly nothing is learned: no failure, the message is the reason."""


class TrainingError(RlError):
    """A candidate that can't be trained."""


class PolicyError(RlError):
    """A policy that can't be loaded, or observations that it can't decide on."""


class NothingCounted(PolicyError):
    """No product was counted on the last day: no list can be made, and nothing is wrong with any policy."""


class EvaluationError(RlError):
    """Input that no estimator may turn into a number."""


class UnsupportedEstimator(EvaluationError):
    """The estimator refuses this log; the message is the reason shown on the review page."""


class RegistryError(RlError):
    """Registry entries that contradict each other, an approval that went stale, or MLflow that doesn't answer."""

    may_pass = True


class RefusedRequest(RegistryError):
    """What a person asked of the registry can't be done as it was asked; asked again alike, it is refused again."""

    may_pass = False


class RegistryChanged(RegistryError):
    """A registry that was changed or lost by hand so that a person has to settle it before a night can go on."""

    may_pass = False


class ServingError(RlError):
    """A service that can't start, or can't decide."""


class StoreError(ServingError):
    """A store of histories that can't be filled or read."""

    may_pass = True


class DecisionLogError(ServingError):
    """A log of decisions that can't be written; what was asked for was not decided."""

    may_pass = True


class ShopError(RlError):
    """A simulated shop that can't be built from its settings."""


class LoopError(RlError):
    """Days and nights of a simulated shop that can't go on; repeated, they go on where they stopped."""


class InventoryError(RlError):
    """Stock, demand or orders that contradict each other, or that no plan can be made of."""


class ForgettingError(RlError):
    """A source whose data are kept: nothing was removed."""


class BackupError(RlError):
    """A home that can't be backed up, or a backup that can't be restored here; the home is as it was."""
