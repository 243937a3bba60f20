"""Read JPEG files: from bytes to coefficients, all at once or row by row; breaches of T.81 are tolerated or refused."""
