"""Export of trained networks to the ONNX files and models that `restore.runtime` runs."""
