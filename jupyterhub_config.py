"""The hub's configuration file. Operators' keys are in hub.toml and STP3_HUB_*; see hub/settings.py."""

from stp3_hub.configure import configure
from stp3_hub.settings import Settings

configure(get_config(), Settings())
