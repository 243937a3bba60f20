"""Input images: from files of any format, Pillow images or arrays to checked 8-bit samples and metadata."""
