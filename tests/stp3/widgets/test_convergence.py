"""The curve of an iterative preview: as it was heard, on the page while it runs and after, gone with the method."""

from stp3.preview import Preview
from stp3.scan import open_scan
from stp3.widgets.convergence import Convergence, in_words, points
from tests.stp3.widgets.user import choose, until

ITERATIVE = """
steps:
- flat_field
- minus_log
- {step: rotation_axis, column: 66.2}
- {step: sirt, iterations: 12}
"""


def test_the_curve_falls_from_the_top_left_to_the_bottom_right():
    places = [tuple(map(float, point.split(","))) for point in points((1.0, 0.1, 0.01)).split()]
    assert places == [(0.0, 0.0), (75.0, 11.0), (150.0, 22.0)]
    assert points((0.5,)) == "0.0,0.0 150.0,0.0"
    assert in_words((1.0, 0.0213)) == "Misfit 2.1%, iteration 2"
    assert in_words((1.0, 0.0)) == "Misfit 0e+00, iteration 2"


def test_it_is_out_of_the_way_where_nothing_iterates():
    view = Convergence()
    assert view.widget.layout.display == "none"
    view.show((1.0, 0.5))
    assert view.widget.layout.display is None
    assert 'role="img"' in view.widget.value


def test_the_page_shows_the_misfit_that_the_method_told(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        assert bench.convergence.widget.layout.display == "none"
        bench.paste(ITERATIVE)
        assert bench.recipe.fault.value == ""
        await until(lambda: "iteration 12" in bench.convergence.widget.value)
        heard = []
        anew = Preview(open_scan(bench.shown.path))
        slab = anew.slab(bench.shown.recipe, 3, on_iteration=lambda *news: heard.append(news))
        assert heard == list(enumerate(slab.residuals))
        assert len(heard) == 12
        assert slab.residuals[-1] < 0.3 * slab.residuals[0]
        assert in_words(slab.residuals) in bench.convergence.widget.value
        assert points(slab.residuals) in bench.convergence.widget.value
        bench.undo()
        await until(lambda: bench.convergence.widget.layout.display == "none")

    drive(scenario)
