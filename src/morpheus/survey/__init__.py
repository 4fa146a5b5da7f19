"""A survey of many fields: one table in, one catalogue out."""

from morpheus.survey.options import SurveyOptions
from morpheus.survey.run import run_survey, survey_status
from morpheus.survey.status import TileStatus
from morpheus.survey.work import Survey

__all__ = ["Survey", "SurveyOptions", "TileStatus", "run_survey", "survey_status"]
