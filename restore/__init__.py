"""The receiver: restores what the encoder sent."""
