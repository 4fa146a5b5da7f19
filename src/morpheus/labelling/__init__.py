"""Votes of people on sources: kept, asked for, compared, and given as tables."""

from morpheus.labelling.agreement import Agreement, Pair, agreement, krippendorff_alpha
from morpheus.labelling.answers import ANSWERS, Answer
from morpheus.labelling.listed import listed_sources
from morpheus.labelling.order import ORDERS, active_scores
from morpheus.labelling.panel import Panel
from morpheus.labelling.server import panel_routes
from morpheus.labelling.store import VOTES_FILE, VoteStore
from morpheus.labelling.tables import vote_table

__all__ = [
    "ANSWERS",
    "ORDERS",
    "VOTES_FILE",
    "Agreement",
    "Answer",
    "Pair",
    "Panel",
    "VoteStore",
    "active_scores",
    "agreement",
    "krippendorff_alpha",
    "listed_sources",
    "panel_routes",
    "vote_table",
]
