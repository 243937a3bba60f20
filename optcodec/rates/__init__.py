"""Rate versus quality of pictures, for several encoders."""
