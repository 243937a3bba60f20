"""JPEG bytes to coefficients, row by row or all at once; what breaks the standard is tolerated, told or refused."""
