"""Errors of the Spark jobs.

NightcartError
└── JobError
    ├── DeliveryError   delivered files that can't be taken in: missing, empty, cut off, with a header that doesn't fit
    │   ├── UnlikelyDelivery  too many lines rejected, another log than before, or an earlier one again
    │   └── UnpublishedDelivery  landed, and not published: held back, or about to be
    ├── CheckError      an invariant that doesn't hold; nothing was published
    ├── LineageError    a file or server that takes no lineage; what was published stays published
    └── PublishError    a table that can't be written (a full disk, no rights); every pointer is as it was
"""

from conf.errors import NightcartError


class JobError(NightcartError):
    """Something the jobs can't go on with."""


class DeliveryError(JobError):
    """Delivered files that can't be taken in; nothing was changed."""


class UnlikelyDelivery(DeliveryError):
    """A delivery that can't be right, since of its lines too many are rejected or none is new; it is not published."""


class UnpublishedDelivery(DeliveryError):
    """A delivery that was landed and isn't published: it was held back, or an ingest is at work on it."""

    may_pass = True


class CheckError(JobError):
    """An invariant that doesn't hold; nothing was published."""


class PublishError(JobError):
    """A table that can't be written; every pointer is as it was."""

    may_pass = True


class LineageError(JobError):
    """A file or server that takes no lineage; what was published stays published, and is told the next time."""

    may_pass = True
