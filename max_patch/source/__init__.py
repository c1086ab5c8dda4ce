"""Source: the scripts that make the Max and Pure Data patches from the daemon's table of OSC addresses."""
