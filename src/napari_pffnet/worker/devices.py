"""What this machine can compute on."""

from __future__ import annotations

import platform
import shutil
import sys

from napari_pffnet.messages import Device, Devices
from napari_pffnet.worker.group import cores


def describe_devices() -> Devices:
    """Return the devices, the one that "auto" takes first."""
    import torch

    found = [
        Device(name=f"cuda:{i}", title=torch.cuda.get_device_name(i))
        for i in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        found.append(Device(name="mps", title="Apple GPU"))
    why = "" if found else _why_no_gpu()
    cpu = Device(name="cpu", title=f"Processor ({cores()} cores)")
    return Devices(devices=(*found, cpu), why_no_gpu=why)


def _why_no_gpu() -> str:
    import torch

    if sys.platform == "darwin":
        return (
            "No GPU is used: PyTorch supports those of Apple silicon, from macOS 12.3."
            if platform.machine() != "arm64"
            else "No GPU is used: PyTorch finds none; it needs macOS 12.3 or newer."
        )
    built_for_gpu = torch.version.cuda or torch.version.hip
    if shutil.which("nvidia-smi") is None:
        return "No GPU is used: this computer has none by NVIDIA, or no driver for it."
    if not built_for_gpu:
        return (
            "No GPU is used: the installed PyTorch is the one for processors only. "
            "See pytorch.org/get-started for the one that uses your NVIDIA GPU."
        )
    return (
        "No GPU is used: the NVIDIA driver is too old for the installed PyTorch "
        f"(CUDA {torch.version.cuda}), or no GPU is free. Update the driver."
    )
