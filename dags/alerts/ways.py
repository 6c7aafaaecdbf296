"""The ways an alert is sent beside the log: posted to an address, and mailed."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from conf.alert_settings import AlertSettings
from dags.alerts.alert import Alert

SENT = "sent"
_SECONDS = 10.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def send(alert: Alert, settings: AlertSettings) -> dict[str, str]:
    """Send the alert every way that is set; return by way `sent`, or why it couldn't be. Nothing is raised."""
    ways: Mapping[str, Callable[[], None]] = {
        **({"webhook": lambda: _post(alert, str(settings.webhook))} if settings.webhook else {}),
        **({"email": lambda: _mail(alert, settings)} if settings.emails else {}),
    }
    return {name: _outcome(way) for name, way in ways.items()}


def _outcome(way: Callable[[], None]) -> str:
    try:
        way()
    except Exception as error:  # whatever it is, the night goes on
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return SENT


def _post(alert: Alert, address: str) -> None:
    """Post the alert as JSON; `text` is what chat services show.

    Raises:
        OSError: no answer, or another than that it was taken. The message holds no more of the address than its host.
    """
    content = {
        "text": alert.text,
        "alert": alert.name,
        "about": alert.about,
        "reason": alert.reason,
        "runbook": alert.runbook,
    }
    request = urllib.request.Request(
        address, data=json.dumps(content).encode("utf-8"), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):
            pass
    except (OSError, ValueError) as error:
        told = str(error).replace(address, "the address")
        raise OSError(f"{urlsplit(address).hostname}: {told}") from None


def _mail(alert: Alert, settings: AlertSettings) -> None:
    """Mail the alert; encrypted wherever the server can.

    Raises:
        OSError, smtplib.SMTPException: the server can't be reached, or refuses.
    """
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = alert.subject, settings.sender, ", ".join(settings.emails)
    message.set_content(alert.text)
    server = urlsplit(settings.smtp)
    with _connection(server) as smtp:
        if server.username:
            smtp.login(unquote(server.username), unquote(server.password or ""))
        smtp.send_message(message)


def _connection(server: SplitResult) -> smtplib.SMTP:
    """Return a connection to the mail server, over which a password may go.

    Raises:
        OSError: it can't be encrypted, and the server is another machine that asks for a password.
    """
    host = server.hostname or "localhost"
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(host, server.port or 465, timeout=_SECONDS, context=ssl.create_default_context())
    smtp = smtplib.SMTP(host, server.port or 25, timeout=_SECONDS)
    try:
        smtp.ehlo()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        elif server.username and host not in _LOOPBACK:
            raise OSError(f"{host} offers no encryption, and the password isn't sent without; use smtps://")
    except BaseException:
        smtp.close()
        raise
    return smtp
