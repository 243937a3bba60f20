"""What the command lines of optcodec and restore share: files, streams, many inputs at once, printing, endings."""
