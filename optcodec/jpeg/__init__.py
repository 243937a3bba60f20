"""ITU-T T.81: everything that would also be here without optimization."""
