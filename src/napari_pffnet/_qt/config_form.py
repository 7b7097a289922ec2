"""A form that edits one pydantic model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = TypeVar("Value", bound=BaseModel)


class ConfigForm(QWidget, Generic[Value]):
    """Editor of one frozen pydantic model; its help texts become tooltips.

    Fields that are not shown keep what they had in the last `setValue`.

    Parameters
    ----------
    value
        What is edited at first.
    fields
        Names of the fields to show, in order.
    advanced
        Names of the fields that are folded away under "Advanced".
    labels
        What a person calls a field; by default its name with spaces.
    """

    valueChanged = Signal()

    def __init__(
        self,
        value: Value,
        *,
        fields: Sequence[str],
        advanced: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._value = value

    def value(self) -> Value:
        """Return what is shown, validated.

        Raises
        ------
        ValueError
            If what was typed does not make a valid whole.
        """
        return self._value

    def setValue(self, value: Value) -> None:
        """Show other values; emits `valueChanged` once where something changed."""
