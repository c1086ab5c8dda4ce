"""Engine: a warm model turns a request into a clip."""
