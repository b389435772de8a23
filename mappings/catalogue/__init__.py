"""The mappings that come with the hub, as data: `<system>/<kind>.yaml`, its test `<kind>_test.yaml` beside it."""

from mappings.load import CATALOGUE, Mapping_, load, names

__all__ = ["CATALOGUE", "Mapping_", "load", "names"]
