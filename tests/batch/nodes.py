"""Jobs and networks for the machines of a cluster in the tests: they wait, or end the process that they are in."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optcodec.batch.job import Coded, Job
from optcodec.batch.opening import Content
from optcodec.cli.encode_settings import job_of, tuning_of

FOLDER = "OPTCODEC_TEST_FOLDER"  # environment variable with the folder in which the tests and the workers meet


def meeting_place() -> Path:
    return Path(os.environ[FOLDER])


@dataclass(frozen=True)
class WaitingJob(Job):
    """Writes down which machine begins a picture. From the fifth one of a process on, pictures wait while ``gate`` is
    there.
    """

    def __call__(self, source: Content) -> Coded:
        import ray

        begun = meeting_place() / "begun"
        with begun.open("a") as file:
            file.write(f"{ray.get_runtime_context().get_node_id()} {os.getpid()}\n")
        late = begun.read_text().split().count(str(os.getpid())) > 4
        while late and (meeting_place() / "gate").exists():
            time.sleep(0.02)
        return super().__call__(source)


@dataclass(frozen=True)
class DeadlyJob(Job):
    """Grey pictures end the process, those of width 30 only the first time."""

    def __call__(self, source: Content) -> Coded:
        coded, known = super().__call__(source), meeting_place() / "known"
        if len(coded.encoded.coefficients.components) == 1 and not (coded.encoded.width == 30 and known.exists()):
            if coded.encoded.width == 30:
                known.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return coded


def waiting(options: dict[str, Any], tables: Any) -> Job:
    return WaitingJob(**vars(job_of(options, tuning_of(options), tables, 1)))


def deadly(options: dict[str, Any], tables: Any) -> Job:
    return DeadlyJob(**vars(job_of(options, tuning_of(options), tables, 1)))


def network() -> Any:
    """A network with fixed weights. Where the file ``deadly`` is, it removes that and ends its process."""
    import torch
    from torchvision.transforms.v2 import functional as transform

    from optcodec.vision.models import TargetModel

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, 2), torch.nn.Tanh(), torch.nn.Conv2d(8, 4, 6))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            deadly = meeting_place() / "deadly"
            if deadly.exists():
                deadly.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            logits: torch.Tensor = self.layers(images).flatten(1)
            return 4 * logits

    return TargetModel("small", Network(), lambda image: transform.pil_to_tensor(image.resize((16, 16))))


def network_on_gpu() -> Any:
    """The same network; writes down which GPUs of which machine the worker has been given."""
    import ray

    context = ray.get_runtime_context()
    if context.get_task_id() is not None:  # the command makes the network, too, to look at its input
        with (meeting_place() / "gpus").open("a") as file:
            file.write(f"{context.get_node_id()} {','.join(context.get_accelerator_ids()['GPU'])}\n")
    return network()
