"""Settings of alerts: read as given, and refused with the cure."""

import pytest

from conf.alert_settings import AlertSettings
from conf.errors import SettingError
from conf.settings import Settings


def test_alert_settings_are_read() -> None:
    """Addresses are split at commas; the sender is the first of them unless one is given."""
    given = {
        "NIGHTCART_ALERT_EMAIL": "ops@shop.example, night@shop.example,",
        "NIGHTCART_ALERT_WEBHOOK": "https://chat.example/hook",
        "NIGHTCART_ALERT_SLOWER": "2",
    }
    found = Settings.from_environment(given).alerts
    assert found.emails == ("ops@shop.example", "night@shop.example")
    assert (found.sender, found.webhook, found.slower) == ("ops@shop.example", "https://chat.example/hook", 2.0)
    assert Settings.from_environment({}).alerts == AlertSettings()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WEBHOOK", "chat.example/sekret", "expected an address that starts with http:// or https://"),
        ("WEBHOOK", "https://", "expected an address that starts with http:// or https://"),
        ("SMTP", "mail.example:25", "expected an address that starts with smtp:// or smtps://"),
        ("SMTP", "smtp://mail:port", "expected an address that starts with smtp:// or smtps://"),
        ("EMAIL", "ops@shop.example,ops", "got 'ops', expected an e-mail address such as ops@example.com"),
        ("FROM", "night shift", "got 'night shift', expected an e-mail address"),
        ("NIGHTS", "0", "got '0', expected a positive integer"),
        ("DISK_NIGHTS", "many", "got 'many', expected a positive integer"),
        ("SLOWER", "1", "got '1', expected a number above 1, such as 1.5"),
        ("SLOWER", "nan", "got 'nan', expected a number above 1, such as 1.5"),
    ],
)
def test_a_misfit_says_what_is_expected(name: str, value: str, told: str) -> None:
    """And shows no secret."""
    with pytest.raises(SettingError, match=f"NIGHTCART_ALERT_{name}") as caught:
        Settings.from_environment({f"NIGHTCART_ALERT_{name}": value})
    assert told in str(caught.value)
    assert "sekret" not in str(caught.value)
