"""Guide planes of vehicles (36 heat maps, 13 segments) from files, keypoints, packs or memory."""

from reid.loading.guides.drawing import DrawnGuides
from reid.loading.guides.files import FileGuides, write_guide_files
from reid.loading.guides.frame import UnsquaredGuides
from reid.loading.guides.held import HeldGuides
from reid.loading.guides.packing import write_pack
from reid.loading.guides.packs import PackedGuides
from reid.loading.guides.source import Guides, Planes, mirrored_channels

__all__ = [
    "DrawnGuides",
    "FileGuides",
    "Guides",
    "HeldGuides",
    "PackedGuides",
    "Planes",
    "UnsquaredGuides",
    "mirrored_channels",
    "write_guide_files",
    "write_pack",
]
