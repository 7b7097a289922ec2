"""Sentences of the core, as they fit into the window."""

from __future__ import annotations

import re

_FIELDS = {
    "channels": "Channel",
    "axes": "Slices are",
    "diameter": "Diameter",
    "all-tiles": "Advanced: All tiles",
}
_FOLDER_FIELDS = _FIELDS | {"axes": "Axes"}
_EXAMPLE = re.compile(r"(, for example )--axes (\w+( for channels first)?)")
_REPLACE = re.compile(r"give --overwrite to replace( it)?")


def in_the_window(sentence: str, *, of_folder: bool = False) -> str:
    """Say of a sentence of the core where the option is in this window."""
    fields = _FOLDER_FIELDS if of_folder else _FIELDS
    sentence = sentence.replace(" (axes= in Python)", "")
    # Of a layer the axes are chosen; of files they are typed.
    example = r"\1\2" if of_folder else ""
    sentence = _EXAMPLE.sub(example, sentence)
    sentence = _REPLACE.sub("choose “replace” under “Existing”", sentence)
    sentence = sentence.replace("another --out", "another folder for the results")
    return re.sub(
        r"(?:with )?--(channels|axes|diameter|all-tiles)",
        lambda found: f"under “{fields[found[1]]}”",
        sentence,
    )
