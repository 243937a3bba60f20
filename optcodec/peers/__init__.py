"""Other JPEG encoders: their files by quality, and the file that meets a size or a quality of the picture."""
