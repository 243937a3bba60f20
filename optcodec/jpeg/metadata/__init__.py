"""Application segments, comments, and what lies behind EOI: read, kept, and written again."""
