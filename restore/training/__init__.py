"""From a recipe and photographs to a trained network, resumable."""
