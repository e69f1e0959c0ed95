"""Where training pairs come from: declared sources, and the user's own."""

from mteb_hybrid.building.sources.declaration import Declaration
from mteb_hybrid.building.sources.declarations import declarations
from mteb_hybrid.building.sources.read import Reading, SourceFacts, describe, read
from mteb_hybrid.building.sources.settings import SourceSettings

__all__ = ["Declaration", "Reading", "SourceFacts", "SourceSettings", "declarations", "describe", "read"]
