"""Rate-distortion optimized quantization: indices with the least weighted error plus bits, for any weights."""
