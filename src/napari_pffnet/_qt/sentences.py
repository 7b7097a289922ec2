"""Sentences of the core, as they fit into the window."""

from __future__ import annotations

import re

_FIELDS = {
    "channels": "Channel",
    "axes": "Slices",
    "diameter": "Diameter",
    "all-tiles": "Advanced: All tiles",
}
_FOLDER_FIELDS = _FIELDS | {"axes": "Axes"}
_REPLACE = re.compile(r"give --overwrite to replace( it)?")


def in_the_window(sentence: str, *, of_folder: bool = False) -> str:
    """Say of a sentence of the core where the option is in this window."""
    fields = _FOLDER_FIELDS if of_folder else _FIELDS
    if not of_folder:
        sentence = re.sub(r", for example --axes \w+", "", sentence)
    sentence = _REPLACE.sub("choose “replace” under “Existing”", sentence)
    sentence = sentence.replace("another --out", "another folder for the results")
    return re.sub(
        r"(?:with )?--(channels|axes|diameter|all-tiles)",
        lambda found: f"under “{fields[found[1]]}”",
        sentence,
    )
