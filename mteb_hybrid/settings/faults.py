"""What is wrong with a file of settings, in one line that names file, line and setting."""

from __future__ import annotations

import json

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.settings.words import SettingsWords
from mteb_hybrid.settings.yaml_lines import Location, YamlFile, dotted


def shown(value: object) -> str:
    """A value as it is written in YAML, cut short."""
    return one_line(json.dumps(value, ensure_ascii=False, default=str), 60)


def fault_of(error: ValidationError, file: YamlFile, words: SettingsWords) -> HybridError:
    """The first fault of a file; an unknown setting before all, as it may be why another is missing.

    Args:
        error: of the settings' model.
        file: what was validated.
        words: of that model.
    """
    faults = [(_location(details, words), details) for details in error.errors(include_url=False)]
    # Of a value that may be of several kinds each kind complains; what is said about its parts is more exact.
    around = {location[:depth] for location, _ in faults for depth in range(len(location))}
    order = {location: number for number, location in enumerate(file.places)}
    location, details = min(
        (fault for fault in faults if fault[0] not in around),
        key=lambda fault: (fault[1]["type"] != "extra_forbidden", order[file.nearest(fault[0])]),
    )
    return _worded(location, details, file, words)


def _location(details: ErrorDetails, words: SettingsWords) -> Location:
    unknown = details["loc"][-1:] if details["type"] == "extra_forbidden" else ()
    return (*words.location_of(details["loc"]), *unknown)


def _worded(location: Location, details: ErrorDetails, file: YamlFile, words: SettingsWords) -> HybridError:
    name = dotted(location)
    match details["type"]:
        case "extra_forbidden":
            return file.fault(location, f"{name} is no setting; {words.suggestion(location)}")
        case "missing":
            return file.fault(location, f"{name} is missing; it must be {words.possible_at(location)}")
        case "value_error":  # of a section's own check, which may begin with the name of the setting at fault
            setting, _, problem = str(details["ctx"]["error"]).partition(" ")
            part = (*location, *setting.split("."))
            if part in file.places:
                return file.fault(part, f"{dotted(part)} {problem}")
            return file.fault(location, f"{setting} {problem}")
    text = f"{name} is {shown(details['input'])}; it must be {words.possible_at(location)}"
    if details["type"] == "string_type" and isinstance(details["input"], (int, float)):
        text += "; put it in quotes"
    return file.fault(location, text)
