"""`vocaldm devices`: the microphones and interfaces that `vocaldm live` can listen to."""

from __future__ import annotations

import json
from dataclasses import asdict

from vocaldm_live.commands import JsonOption, figure, results_only, table


def devices(as_json: JsonOption = False) -> int:
    """List the input devices; any number, name or part of a name can be given to `vocaldm live`."""
    from vocaldm_live.listen.devices import list_devices

    with results_only(as_json) as stream:
        found = list_devices()
        if as_json:
            for device in found:
                print(json.dumps(asdict(device), ensure_ascii=False), file=stream, flush=True)
        elif not found:
            print("No input device was found: plug in a microphone or an interface.", file=stream)
        else:
            rows = [
                (
                    f"{device.index} {device.name}" + (" (default)" if device.default else ""),
                    device.host_api,
                    str(device.channels),
                    figure(device.sample_rate, "d"),
                )
                for device in found
            ]
            print(table(("input", "through", "channels", "Hz"), rows), file=stream)
    return 0
