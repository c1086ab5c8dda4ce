"""Data: collections of sounds and imitations, whatever lays them out, and what is computed of them once."""
