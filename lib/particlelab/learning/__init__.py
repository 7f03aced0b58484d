"""Training with checkpoints, and model files with their cards."""
