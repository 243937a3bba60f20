"""Smaller and faster networks: each stage is a function from network to network, the old one untouched."""
