"""Helpers of both commands, ``optcodec`` and ``restore``: options, files, streams, batches, printing and signals."""
