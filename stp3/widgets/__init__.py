"""The workbench and its parts: one view a file, one controller. They show the core's words and compute nothing."""

from stp3.widgets.slice_viewer import SliceViewer
from stp3.widgets.workbench import Workbench

__all__ = ["SliceViewer", "Workbench"]
