"""Offline rooms: procedural sounds, imitations, and the runs that train the house preset."""
