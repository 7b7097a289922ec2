"""Rows of a form: a title and a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtWidgets import QWidget


def form_of(fields: Mapping[str, QWidget]) -> QFormLayout:
    """Return rows without a margin, whose fields are as wide as there is room."""
    rows = QFormLayout()
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for title, field in fields.items():
        rows.addRow(title, field)
    return rows


def align(*forms: QFormLayout) -> None:
    """Let the fields of forms that lie below each other begin at one place.

    Call it once they are shown: before, titles are as wide as without a theme.
    """
    role = QFormLayout.ItemRole.LabelRole
    items = [rows.itemAt(i, role) for rows in forms for i in range(rows.rowCount())]
    titles = [
        title
        for item in items
        if item is not None and (title := item.widget()) is not None
    ]
    for title in titles:
        title.ensurePolished()
    width = max(title.sizeHint().width() for title in titles)
    for title in titles:
        title.setMinimumWidth(width)
