"""A matplotlib backend that draws SVG and whose `plt.show()` leaves the figures open."""

from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_svg import FigureCanvasSVG


class FigureManager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *args: Any, **kwargs: Any) -> None:
        """Show nothing: a figure is drawn when its snippet has ended."""


class FigureCanvas(FigureCanvasSVG):
    manager_class = FigureManager
