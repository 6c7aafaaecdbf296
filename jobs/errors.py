"""Errors of the Spark jobs.

NightcartError
└── JobError
    ├── DeliveryError   delivered files that can't be taken in: missing, empty, cut off, with a header that doesn't fit
    ├── CheckError      an invariant that doesn't hold; nothing was published
    └── PublishError    a table that can't be written (a full disk, no rights); every pointer is as it was
"""

from conf.errors import NightcartError


class JobError(NightcartError):
    """Something the jobs can't go on with."""


class DeliveryError(JobError):
    """Delivered files that can't be taken in; nothing was changed."""


class CheckError(JobError):
    """An invariant that doesn't hold; nothing was published."""


class PublishError(JobError):
    """A table that can't be written; every pointer is as it was."""

    may_pass = True
