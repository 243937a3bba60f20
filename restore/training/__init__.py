"""Training of restoration networks from recipes and photographs; interrupted trainings can be resumed."""
