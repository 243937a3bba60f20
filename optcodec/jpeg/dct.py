"""Stand-in (numpy) until the kernel lands."""
from __future__ import annotations
import numpy as np
import numpy.typing as npt
from optcodec.jpeg.image import DctComponent, DctImage, sampling_factors

def dct_matrix() -> npt.NDArray[np.float64]:
    k = np.arange(8)
    m = np.cos((2 * k[None] + 1) * k[:, None] * np.pi / 16) / 2
    m[0] /= np.sqrt(2)
    return m

def forward(pixels: npt.NDArray[np.uint8], subsampling: str = "4:4:4", *, threads: int | None = None) -> DctImage:
    """Pixels uint8 (H, W, 3) RGB or (H, W) grey -> unquantized DCT coefficients; YCbCr rounded to 8 bits as in T.871."""
    height, width = pixels.shape[:2]
    if pixels.ndim == 2:
        planes = [pixels.astype(np.float32)]; factors = [(1, 1)]
    else:
        h, v = sampling_factors(subsampling)
        m = np.array([[.299, .587, .114], [-.168736, -.331264, .5], [.5, -.418688, -.081312]])
        y = np.floor(pixels @ m.T + np.array([0, 128, 128]) + .5)
        H2, W2 = -(-height // (8*v)) * 8*v, -(-width // (8*h)) * 8*h
        y = np.pad(y, ((0, H2 - height), (0, W2 - width), (0, 0)), mode="edge")
        cs = [np.floor(y[..., i].reshape(H2//v, v, W2//h, h).mean((1, 3)) + .5)[:-(-height//v), :-(-width//h)] for i in (1, 2)]
        planes = [y[:height, :width, 0], *cs]; factors = [(h, v), (1, 1), (1, 1)]
    out = []
    d = dct_matrix()
    for i, (p, (h, v)) in enumerate(zip(planes, factors)):
        p = np.pad(p - 128, ((0, -p.shape[0] % 8), (0, -p.shape[1] % 8)), mode="edge")
        b = p.reshape(p.shape[0]//8, 8, p.shape[1]//8, 8).swapaxes(1, 2)
        out.append(DctComponent(i + 1, h, v, np.ascontiguousarray(d @ b @ d.T, np.float32)))
    return DctImage(width, height, tuple(out))
