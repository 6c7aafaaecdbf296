"""Errors of the Spark jobs.

NightcartError
└── JobError
    ├── DeliveryError   delivered files that can't be taken in: missing, empty, cut off, with a header that doesn't fit
    │   └── UnlikelyDelivery  more lines rejected than a log of the source can have
    ├── CheckError      an invariant that doesn't hold; nothing was published
    └── PublishError    a table that can't be written (a full disk, no rights); every pointer is as it was
"""

from conf.errors import NightcartError


class JobError(NightcartError):
    """Something the jobs can't go on with."""


class DeliveryError(JobError):
    """Delivered files that can't be taken in; nothing was changed."""


class UnlikelyDelivery(DeliveryError):
    """A delivery of which so many lines are rejected that it can't be right; it is landed and not published."""


class CheckError(JobError):
    """An invariant that doesn't hold; nothing was published."""


class PublishError(JobError):
    """A table that can't be written; every pointer is as it was."""

    may_pass = True
