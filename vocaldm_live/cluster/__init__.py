"""Generation on other machines: a gate before workers, and an engine here that asks them."""
