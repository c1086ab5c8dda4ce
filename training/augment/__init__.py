"""Augmentation: what training varies in a sound that means the same."""
