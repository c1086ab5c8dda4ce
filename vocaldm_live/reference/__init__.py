"""Reference: the authors' own AudioLDM program, run on an imported preset, to compare with."""
