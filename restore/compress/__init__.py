"""Network compression: pruning, slimming and quantization. Each function returns a new network."""
