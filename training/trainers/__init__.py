"""Trainers: what each kind of network learns from, one file each; the loop does the rest."""
