"""What people hand over as an image, in any file format or in memory, to checked pixels and metadata."""
