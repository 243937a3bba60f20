"""A page for the browser from result files: readers make typed sections of each file, and one renderer writes HTML."""
