"""Page: the panel of a daemon, with what it may show and reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vocaldm_live.panel.panel import Behind, Panel, PanelSettings

if TYPE_CHECKING:
    from pathlib import Path

    from vocaldm_live.daemon.daemon import Daemon


def open_panel(daemon: Daemon) -> Panel:
    """Start the panel of a daemon that has started; PanelError says why there is none."""
    osc, wanted = daemon.settings.osc, daemon.settings.panel
    behind = Behind(
        osc.host,
        daemon.server.port,
        osc.token,
        daemon.session.history,
        daemon.session.gestures,
        daemon.outbox_folder,
        _dropped(daemon),
        daemon.roots.check,
        daemon.server.parameters.legal,
    )
    panel = Panel(PanelSettings(wanted.host, wanted.port, wanted.token), behind)
    panel.start()
    return panel


def _dropped(daemon: Daemon) -> Path:
    # Inside `imitations`, which is one of the folders whose files a client may name.
    return daemon.state_folder / "imitations" / "dropped"
