"""Errors that every package shares, and those of the contracts.

NightcartError
└── ConfError
    ├── SpecError       a YAML that doesn't fit its model (all violations at once)
    ├── SettingError    an environment variable that doesn't fit
    └── PublicationError  a pointer or manifest that can't be read or may not be written
        └── StaleInputs   a publisher that saw strictly less than what is already published
"""


class NightcartError(Exception):
    """Base of all errors a user may meet: says what was wrong, where, and what to do."""


class ConfError(NightcartError):
    """Something in the contracts or their files is wrong."""


class SpecError(ConfError):
    """A YAML file that doesn't fit its model; the message lists every violation."""


class SettingError(ConfError):
    """An environment variable that doesn't fit."""


class PublicationError(ConfError):
    """A pointer or manifest that can't be read, or may not be written."""


class StaleInputs(PublicationError):
    """The publisher saw a strict subset of the inputs already published."""
