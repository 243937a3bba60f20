"""Sensitivity profiles of DNNs: how much an error at each DCT frequency changes the loss, estimated from gradients."""
