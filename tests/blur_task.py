"""A small restoration task for tests: the image is sent with noise, perhaps reduced, and restored by a small blur."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optcodec.pictures.pixels import decoded_pixels


@dataclass
class BlurTask:
    """Noise is added to the image, which is first reduced by ``scale``; a 3x3 box filter restores it."""

    scale: int = 1
    noise: float = 8.0
    name: str = "blur"
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def reference(self, clean: np.ndarray) -> np.ndarray:
        height, width = (length // self.scale * self.scale for length in clean.shape[:2])
        return clean[:height, :width]

    def sent(self, clean: np.ndarray, seed: int) -> np.ndarray:
        height, width = (length // self.scale for length in clean.shape[:2])
        small = clean.reshape(height, self.scale, width, self.scale, 3).mean(axis=(1, 3))
        noisy = small + np.random.default_rng(seed).normal(0, self.noise, small.shape)
        return np.rint(noisy).clip(0, 255).astype(np.uint8)

    def restored(self, data: bytes) -> np.ndarray:
        pixels = decoded_pixels(data).astype(np.float64)
        self.sizes.append(pixels.shape[:2])
        padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), "edge")
        height, width = pixels.shape[:2]
        blurred = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9
        large = np.rint(blurred).repeat(self.scale, axis=0).repeat(self.scale, axis=1)
        return large.astype(np.uint8)


def factory() -> BlurTask:
    """Make the task; the command line names this function."""
    return BlurTask()


def no_task() -> int:
    """A factory that returns no task."""
    return 3


def fraction() -> BlurTask:
    """A factory of a task with scale 0, which no task may have."""
    return BlurTask(scale=0)


def impossible() -> BlurTask:
    """A factory that raises."""
    raise ValueError("no network is at hand")
