"""Whom alerts are sent to, and from which figures on: the settings `NIGHTCART_ALERT_…`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ALERT_VARIABLES: dict[str, str] = {
    "NIGHTCART_ALERT_WEBHOOK": "http or https address that alerts are posted to as JSON; default: none. It may hold a "
    "secret, so no message shows more of it than its host",
    "NIGHTCART_ALERT_EMAIL": "addresses that alerts are mailed to, separated by commas; default: none",
    "NIGHTCART_ALERT_SMTP": "mail server, such as smtp://user:password@mail.example.com:587, or smtps://…; default "
    "smtp://localhost:25",
    "NIGHTCART_ALERT_FROM": "address that alerts are mailed from; default: the first of those they are mailed to",
    "NIGHTCART_ALERT_NIGHTS": "nights in a row without a promotable version that set off an alert; default 14",
    "NIGHTCART_ALERT_SLOWER": "a night that takes so many times as long as usual sets off an alert; default 1.5",
    "NIGHTCART_ALERT_DISK_NIGHTS": "nights that the disk has room for, below which an alert is set off; default 14",
}

_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
_SMTP = "smtp://localhost:25"


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts go beside the log, and what sets off those that follow from a figure.

    Attributes:
        webhook: address that they are posted to; None for nowhere.
        emails: addresses that they are mailed to; empty for nobody.
        smtp: address of the mail server, with user and password where it asks for them.
        sender: address that they are mailed from.
        nights: without a promotable version, in a row.
        slower: how many times as long as usual a night takes.
        disk_nights: that the disk has room for.
    """

    webhook: str | None = field(default=None, repr=False)
    emails: tuple[str, ...] = ()
    smtp: str = field(default=_SMTP, repr=False)
    sender: str = ""
    nights: int = 14
    slower: float = 1.5
    disk_nights: int = 14

    @classmethod
    def of(cls, given: Mapping[str, str]) -> AlertSettings:
        """Return the settings that fitting environment variables describe."""
        emails = _addresses(given.get("NIGHTCART_ALERT_EMAIL") or "")
        return cls(
            webhook=given.get("NIGHTCART_ALERT_WEBHOOK") or None,
            emails=emails,
            smtp=given.get("NIGHTCART_ALERT_SMTP") or _SMTP,
            sender=given.get("NIGHTCART_ALERT_FROM") or (emails[0] if emails else ""),
            nights=int(given.get("NIGHTCART_ALERT_NIGHTS") or 14),
            slower=float(given.get("NIGHTCART_ALERT_SLOWER") or 1.5),
            disk_nights=int(given.get("NIGHTCART_ALERT_DISK_NIGHTS") or 14),
        )


def alert_misfits(given: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the variables of alerts, a line each; secrets aren't repeated."""
    problems = []
    for name, schemes in (("NIGHTCART_ALERT_WEBHOOK", ("http", "https")), ("NIGHTCART_ALERT_SMTP", ("smtp", "smtps"))):
        if given.get(name) and not _is_address(given[name], schemes):
            problems.append(f"{name}: expected an address that starts with {schemes[0]}:// or {schemes[1]}://")
    for name in ("NIGHTCART_ALERT_EMAIL", "NIGHTCART_ALERT_FROM"):
        found = _addresses(given.get(name) or "")
        if unfit := [one for one in found if not _ADDRESS.fullmatch(one)]:
            problems.append(f"{name}: got {unfit[0]!r}, expected an e-mail address such as ops@example.com")
    for name in ("NIGHTCART_ALERT_NIGHTS", "NIGHTCART_ALERT_DISK_NIGHTS"):
        number = given.get(name) or "1"
        if not number.isdecimal() or int(number) < 1:
            problems.append(f"{name}: got {number!r}, expected a positive integer")
    slower = given.get("NIGHTCART_ALERT_SLOWER") or "2"
    if not re.fullmatch(r"\d+(\.\d+)?", slower) or float(slower) <= 1:
        problems.append(f"NIGHTCART_ALERT_SLOWER: got {slower!r}, expected a number above 1, such as 1.5")
    return problems


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _is_address(text: str, schemes: tuple[str, str]) -> bool:
    try:
        found = urlsplit(text)
        found.port  # noqa: B018  # raises where it is no number
    except ValueError:
        return False
    return found.scheme in schemes and bool(found.hostname) and not re.search(r"\s", text)
