"""Figures of results: heatmaps of tables, contact sheets of photographs, rate-accuracy curves, and maps of blocks."""
