"""Judges: networks that learn to tell real sounds and mels from made ones, so that others learn to fool them."""
