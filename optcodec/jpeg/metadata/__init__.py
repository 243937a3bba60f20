"""Metadata of a JPEG file: application segments, comments, and the bytes behind EOI. Read, kept, written again."""
