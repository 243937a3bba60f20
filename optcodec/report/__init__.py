"""Pictures of results: quantization tables as heatmaps, photographs of several methods side by side."""
