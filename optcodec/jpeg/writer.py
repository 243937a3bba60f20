"""Stand-in (jpeglib) until the real writer lands."""
