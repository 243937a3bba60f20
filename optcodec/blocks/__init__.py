"""Which indices a block gets: rate-distortion optimized quantization, and what its error weighs."""
