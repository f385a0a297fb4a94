"""The pictures a run leaves in its folder: plain data and a path in, a PNG out."""

from reid.plots.activation import ActivatedRow, activation, plot_activation
from reid.plots.confusion import plot_confusion
from reid.plots.contact_sheet import plot_contact_sheet
from reid.plots.curves import plot_cmc, plot_roc, plot_training
from reid.plots.guides import GuidedImage, plot_guides
from reid.plots.nearest import NearestList, plot_nearest
from reid.plots.poses import PosedImage, plot_poses
from reid.plots.ranked_lists import RankedList, choose_queries, plot_ranked_lists

__all__ = [
    "ActivatedRow",
    "GuidedImage",
    "NearestList",
    "PosedImage",
    "RankedList",
    "activation",
    "choose_queries",
    "plot_activation",
    "plot_cmc",
    "plot_confusion",
    "plot_contact_sheet",
    "plot_guides",
    "plot_nearest",
    "plot_poses",
    "plot_ranked_lists",
    "plot_roc",
    "plot_training",
]
