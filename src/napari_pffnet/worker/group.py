"""The process group: the child and all that it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from threading import Thread
from typing import NoReturn


def lead_group() -> None:
    """Lead a group of our own, so that `end_group` ends nobody else.

    Where the window starts this process, it leads one from its first instant.
    """
    if sys.platform != "win32":
        with suppress(PermissionError):  # raised where it leads one already
            os.setsid()


def lower_priority() -> None:
    """Let the window go first; on Windows it starts us so."""
    if sys.platform != "win32":
        os.nice(5)


def cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_group(folder: str | None = None) -> NoReturn:
    """End this process and all that it started, at once; remove a folder."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(os.getpid())],
            creationflags=subprocess.CREATE_NO_WINDOW,
            check=False,
        )
    else:
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def end_with_parent(folder: str | None) -> None:
    """End the group when the process that started this one is gone.

    The end of our input tells that too, unless a process that the window has
    forked still holds the other end of the pipe.
    """
    if sys.platform != "win32":  # there the parent is never replaced, nor forks
        Thread(target=_watch, args=(os.getppid(), folder), daemon=True).start()


def _watch(parent: int, folder: str | None) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    end_group(folder)
