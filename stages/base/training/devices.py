"""The devices that share a training (DDP): processes, their ranks, and each one's part of a batch.

torchrun starts the processes, or Fabric does, by IDIOLECT_DEVICES. Every process draws its part of
each batch with seeds of its own; gradients are averaged, and the first process alone writes.
"""

import os
from typing import TYPE_CHECKING

import torch

from pipeline.runtime.user_errors import BadParams

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DEVICES = "IDIOLECT_DEVICES"
_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def device_count() -> int:
    """Return how many processes share a training, each with a device of its own.

    Raises:
        BadParams: IDIOLECT_DEVICES is no number from 1.
    """
    if torch.distributed.is_torchelastic_launched():
        return int(os.environ["WORLD_SIZE"])
    asked = os.environ.get(DEVICES, "1")
    if not asked.isdecimal() or not int(asked):
        raise BadParams(DEVICES, f"expected a number of devices, found {asked}")
    return int(asked)


def is_first_process() -> bool:
    """Return whether this process writes what torchrun's processes would all write alike."""
    return int(os.environ.get("RANK", "0")) == 0


def local_batch(size: int) -> int:
    """Return how many of a batch's examples each process draws.

    Raises:
        BadParams: the processes cannot share the batch equally.
    """
    count = device_count()
    if size % count:
        raise BadParams("batch", f"expected a multiple of {count} (GPUs), found {size}")
    return size // count


def launch_fabric(precision: str) -> "Fabric":
    """Return Fabric on this process's device; the other processes are started where none runs."""
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    count = device_count()
    # A step may leave parameters unused, and calls a network several times before its backward
    # pass, which must not overwrite buffers.
    shared = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
    fabric = Fabric(
        accelerator="auto",
        strategy=shared if count > 1 else "auto",
        devices=int(os.environ["LOCAL_WORLD_SIZE"])
        if torch.distributed.is_torchelastic_launched()
        else count,
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")),
        precision=_PRECISIONS[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric
