"""Which options of the encoder a network needs for some pictures: tried on a sample, verified on other pictures."""
