"""Daemon: joins microphone, inbox, OSC, engine and outbox; `Daemon` in `daemon.daemon` is the whole of it."""
