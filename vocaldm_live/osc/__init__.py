"""OSC: one address table, and the server, documents and front ends that are made from it."""
