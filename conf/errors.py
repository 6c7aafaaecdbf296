"""Errors that every package shares, and those of the contracts.

NightcartError
└── ConfError
    ├── SpecError       a YAML that doesn't fit its model (all violations at once)
    ├── SettingError    an environment variable that doesn't fit
    ├── NightAtWork     a night that somebody computes, where nobody may
    ├── DatabaseCopyError  a database that can't be copied, or be made what a copy holds
    └── PublicationError  a pointer or manifest that can't be read or may not be written
        ├── StaleInputs   a publisher that saw strictly less than what is already published
        ├── DamagedFile   a published file whose bytes aren't those that were published
        ├── LakeChanged   a shared lake that another home has changed meanwhile
        ├── LostBinding   a source that was shared and whose home doesn't know any more through which store
        └── StoreUnreachable  an object store that doesn't answer
"""

from typing import ClassVar

# Exit codes of `python -m rl` and `jobs/main.py`: what a repeat can't cure, apart from what it may.
MAY_PASS = 1
FAILS_AGAIN = 65


class NightcartError(Exception):
    """Base of all errors a user may meet: says what was wrong, where, and what to do.

    Attributes:
        may_pass: true where a repeat may succeed with nothing changed, as after an outage; data, specs and settings
            stay what they are.
    """

    may_pass: ClassVar[bool] = False


def exit_code(error: Exception) -> int:
    """Return the exit code of a command that ended with the error; an unforeseen error counts as one that may pass."""
    return FAILS_AGAIN if isinstance(error, NightcartError) and not error.may_pass else MAY_PASS


class ConfError(NightcartError):
    """Something in the contracts or their files is wrong."""


class SpecError(ConfError):
    """A YAML file that doesn't fit its model; the message lists every violation."""


class SettingError(ConfError):
    """An environment variable that doesn't fit."""


class NightAtWork(ConfError):
    """A night that somebody computes, where nobody may; nothing was changed."""

    may_pass = True


class DatabaseCopyError(ConfError):
    """A database that can't be copied, or can't be made what a copy holds; it is left as it was."""

    may_pass = True


class PublicationError(ConfError):
    """A pointer or manifest that can't be read, or may not be written."""

    may_pass = True


class StaleInputs(PublicationError):
    """The publisher saw a strict subset of the inputs already published."""


class DamagedFile(PublicationError):
    """A published file is gone or has other bytes than were published; the message names it and what makes it anew."""

    may_pass = False


class LakeChanged(PublicationError):
    """Another home of a shared lake has published meanwhile what was to be published; nothing was changed."""


class LostBinding(PublicationError):
    """A source's folder followed a store and doesn't say any more which; it would silently be this home's alone."""

    may_pass = False


class StoreUnreachable(PublicationError):
    """The object store of a shared lake doesn't answer, or not with what it was given."""
