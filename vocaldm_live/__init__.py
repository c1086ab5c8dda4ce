"""A voice imitates a sound; a 48 kHz sound with the same shape comes out."""

import os

__version__ = "0.1.0"

# ONNX Runtime, the pitch tracker's engine, reports to its maker since 1.29 and writes a device id under the home
# folder; it reads these before its first session, the second in versions between. Nothing here phones home.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["ORT_TELEMETRY_DISABLED"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
