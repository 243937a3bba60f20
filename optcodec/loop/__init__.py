"""Indices that are chosen by the gradient of whatever reads the decoded picture; see `optcodec.loop.reader`."""
