"""Rate and accuracy: what tables do to a network's decisions, measured on real files."""
