"""Settings of a simulated shop as a JSON file beside its logs: written whole, read back strictly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from conf.publication import write_atomically
from rl.errors import ShopError

Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True)
class SettingsFile(Generic[Settings]):
    """The file that holds a kind of shop's settings.

    Attributes:
        model: of the settings.
        name: of the file, in the shop's folder.
        command: that writes it.
        what: the settings are of, for messages.
    """

    model: type[Settings]
    name: str
    command: str
    what: str

    def save(self, settings: Settings, folder: Path) -> None:
        """Write the settings to the file in the folder, replacing it atomically."""
        write_atomically(folder / self.name, settings.model_dump_json(indent=2) + "\n")

    def load(self, path: Path) -> Settings:
        """Return the settings of a shop, from its file or the folder that holds it.

        Raises:
            ShopError: no such file, or it doesn't hold such a shop's settings.
        """
        file = path / self.name if path.is_dir() else path
        try:
            return self.model.model_validate_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ShopError(f"{file}: no such file; expected the {self.name} that {self.command} writes") from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise ShopError(f"{file}: not the settings of {self.what}: {error}") from error


def changed_settings(settings: Settings, **changes: object) -> Settings:
    """Return the settings with some fields changed, checked as if they had been given so.

    Raises:
        ShopError: the changed fields don't fit, or there are no such fields.
    """
    try:
        return type(settings).model_validate({**settings.model_dump(), **changes})
    except ValidationError as error:
        raise ShopError(f"a shop can't have {changes}: {error}") from error
