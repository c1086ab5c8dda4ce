"""The panel: a local web page in front of the daemon. It speaks the OSC table and nothing else."""
