"""Measure how encoders and tables change the accuracy of a network, and at what rate in real files."""
