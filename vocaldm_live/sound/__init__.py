"""Sound as data: reading, resampling, mel spectrograms, sketch curves. Imports no other room."""
