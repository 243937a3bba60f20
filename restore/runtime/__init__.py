"""What restores a JPEG file, and is all that a user ships: numpy and ONNX Runtime, no torch."""
