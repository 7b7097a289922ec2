"""The command line: one command for each public function.

Nothing here computes.  The commands turn words into calls and results into
files; torch is loaded only when a job starts.
"""

from napari_pffnet.cli.app import main

__all__ = ["main"]
