"""A form that edits one pydantic model."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from magicgui.widgets import create_widget
from pydantic import BaseModel, ValidationError
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_pffnet._qt.folded import Folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from magicgui.widgets.bases import ValueWidget
    from pydantic.fields import FieldInfo

Value = TypeVar("Value", bound=BaseModel)
_MOST = 10**8


class ConfigForm(QWidget, Generic[Value]):
    """Editor of one frozen pydantic model; its help texts become tooltips.

    Numbers, choices, switches and texts can be edited; a number may be replaced by
    one word or None, such as auto.  Fields that are not shown keep what they had in
    the last `setValue`.

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
        self._editors: dict[str, _Editor] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._build_rows(fields, labels or {}))
        if advanced:
            rows = self._build_rows(advanced, labels or {})
            layout.addWidget(Folded("Advanced", rows))

    def value(self) -> Value:
        """Return what is shown, validated.

        Raises
        ------
        ValueError
            If what was typed does not make a valid whole.
        """
        shown = {name: editor.value() for name, editor in self._editors.items()}
        try:
            return type(self._value).model_validate(self._value.model_dump() | shown)
        except ValidationError as error:
            first = error.errors()[0]
            place = " ".join(str(part) for part in first["loc"])
            raise ValueError(f"{place}: {first['msg']}.") from None

    def setValue(self, value: Value) -> None:
        """Show other values; emits `valueChanged` once where something changed."""
        changed = value != self._value
        self._value = value
        for name, editor in self._editors.items():
            if editor.value() != getattr(value, name):
                changed = True
                with signals_blocked(editor.widget.native):
                    editor.set_value(getattr(value, name))
        if changed:
            self.valueChanged.emit()

    def editor(self, name: str) -> QWidget:
        """Return the Qt widget that edits a field."""
        native: QWidget = self._editors[name].widget.native
        return native

    def _build_rows(self, fields: Sequence[str], labels: Mapping[str, str]) -> QWidget:
        rows = QWidget(self)
        layout = QFormLayout(rows)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in fields:
            field = type(self._value).model_fields[name]
            editor = _make_editor(field, getattr(self._value, name))
            editor.widget.changed.connect(self._on_editor_changed)
            editor.widget.native.setToolTip(field.description or "")
            self._editors[name] = editor
            layout.addRow(
                labels.get(name, name.replace("_", " ")), editor.widget.native
            )
        return rows

    def _on_editor_changed(self) -> None:
        self.valueChanged.emit()


@dataclass(frozen=True, slots=True)
class _Editor:
    """One widget, and the value that numbers below the low limit stand for, if any."""

    widget: ValueWidget[Any]
    kind: type[int | float] | None = None
    special: tuple[Any, ...] = ()
    low: float = 0

    def value(self) -> Any:
        value = self.widget.value
        if self.special and value < self.low:
            return self.special[0]
        return value if self.kind is None else self.kind(value)

    def set_value(self, value: Any) -> None:
        is_special = self.special and value == self.special[0]
        self.widget.value = self.widget.native.minimum() if is_special else value


def _make_editor(field: FieldInfo, value: Any) -> _Editor:
    """Return the editor of a field: of a number with its limits, or of its type."""
    kinds = list(_kinds(field.annotation))
    numbers = [kind for kind in kinds if kind in (int, float)]
    if not numbers:
        return _Editor(_create(value, field.annotation))
    words = [kind for kind in kinds if kind not in (int, float)]
    special = tuple(word for kind in words for word in (get_args(kind) or (None,)))
    is_whole = numbers[0] is int
    low, high = _limits(field, whole=is_whole)
    step = 0.05 if high <= 1 else 1
    lowest = low - step if special else low
    number = lowest if special and value == special[0] else value
    # The box for whole numbers has no word for its lowest one.
    kind = float if special else numbers[0]
    # By default steps adapt to the number; one step leads from the word to `low`.
    fixed = {"step": step} if special and not is_whole else {}
    widget = _create(lowest, kind, min=lowest, max=high, **fixed)
    if is_whole and special:
        widget.native.setDecimals(0)
    elif kind is float:
        widget.native.setDecimals(6 if 0 < number < 0.01 else 2)
    widget.value = number
    if special:
        widget.native.setSpecialValueText(str(special[0] or "auto"))
    return _Editor(widget, numbers[0], special[:1], low)


def _create(value: Any, annotation: Any, **options: Any) -> ValueWidget[Any]:
    widget = create_widget(value, annotation=annotation, options=options)
    return cast("ValueWidget[Any]", widget)


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows."""
    if get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    elif get_origin(annotation) is Annotated:
        yield get_args(annotation)[0]
    else:
        yield annotation


def _limits(field: FieldInfo, *, whole: bool) -> tuple[float, float]:
    """Return the lowest and the highest number that a field takes."""
    metadata = list(field.metadata)
    for part in get_args(field.annotation):
        for extra in get_args(part)[1:] if get_origin(part) is Annotated else ():
            metadata += getattr(extra, "metadata", [extra])
    found = {
        name: getattr(item, name)
        for item in metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(item, name, None) is not None
    }
    # Of what a spin box can show, the number that is just inside an open limit.
    least = 1 if whole else 1e-6
    low = found.get("ge", found["gt"] + least if "gt" in found else -_MOST)
    high = found.get("le", found["lt"] - least if "lt" in found else _MOST)
    return low, high
