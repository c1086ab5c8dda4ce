"""Report: pages that say what came out, with pictures and audio inside."""
