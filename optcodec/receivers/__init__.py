"""Measured before any image is coded: what the quality of a block is worth to a network that restores images."""
