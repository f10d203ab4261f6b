"""Device and precision by name, without importing torch where no accelerator is installed."""

from __future__ import annotations

from pathlib import Path

from xleval.errors import UserError


def resolve_device(device: str) -> str:
    """``auto`` as ``cuda`` where a GPU can be used, else ``cpu``; others checked.

    Raises:
        UserError: an unknown device, or a GPU that is not there.
    """
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return "cpu"
    if device != "auto" and device.partition(":")[0] != "cuda":
        raise UserError(f"--device {device}: choose auto, cpu, cuda or cuda:N")
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    index = int(device.partition(":")[2] or 0) if (device.partition(":")[2] or "0").isdigit() else -1
    if not 0 <= index < torch.cuda.device_count():
        raise UserError(f"--device {device}: this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """``auto`` as ``bf16`` on a GPU that computes in it, else ``fp32``.

    Raises:
        UserError: bf16 asked for where the GPU does not have it.
    """
    if precision == "fp32" or resolve_device(device) == "cpu":
        return "fp32" if precision == "auto" else precision
    import torch

    if torch.cuda.is_bf16_supported():
        return "bf16"
    if precision == "bf16":
        raise UserError("--precision bf16: this GPU does not compute in bf16; use fp32")
    return "fp32"


def _has_driver() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/proc/driver/nvidia").exists() or Path("/dev/dxg").exists()
