"""A sky with known truth, as surveys would image it."""

from morpheus.simulate.bands import Band, Survey
from morpheus.simulate.field import FieldOptions, SimulatedField, simulate_field
from morpheus.simulate.files import field_files, make_field, write_field
from morpheus.simulate.surveys import SURVEYS, find_survey
from morpheus.simulate.truth import TruthMaps

__all__ = [
    "SURVEYS",
    "Band",
    "FieldOptions",
    "SimulatedField",
    "Survey",
    "TruthMaps",
    "field_files",
    "find_survey",
    "make_field",
    "simulate_field",
    "write_field",
]
