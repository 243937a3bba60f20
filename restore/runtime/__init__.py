"""Restoring JPEG files with trained models: all that an application needs. Imports numpy and ONNX Runtime, no torch."""
