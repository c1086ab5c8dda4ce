"""Tray: a small window with the last clips, and the way from there into a DAW; it speaks OSC with the daemon."""
