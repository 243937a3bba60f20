"""Choose a quality or weight for every 32x32 block while an image is encoded; the restoring network is not run."""
