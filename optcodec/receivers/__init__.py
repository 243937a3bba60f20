"""Offline measurements: how much a network that restores images gains from the quality of each block."""
