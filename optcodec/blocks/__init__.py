"""A quality for every block of a picture, chosen while it is encoded; no restoring network is needed then."""
