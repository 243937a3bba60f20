"""From a trained network to the files that `restore.runtime` runs."""
