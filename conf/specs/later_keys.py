"""Models that gained keys after specs were hashed: a later key left at its default leaves every hash as it was."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from conf.specs.strict_yaml import StrictModel


class GrownModel(StrictModel):
    """A strict model that writes a later key only where it is set.

    What a spec shapes is named by the hash of what the model writes: a key that a spec doesn't use must not be in it,
    or every lake would be ingested again for nothing.
    """

    later_keys: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        fields = type(self).model_fields
        unset = {
            name
            for name in self.later_keys
            if getattr(self, name) == fields[name].get_default(call_default_factory=True)
        }
        return {name: value for name, value in content.items() if name not in unset}
