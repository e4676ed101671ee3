"""From the workbench to a volume: rows, formats, submission, and jobs on a new page."""

import numpy as np

from stp3.cluster.client import list_jobs
from stp3.volume import open_volume
from stp3.widgets.workbench import Workbench
from tests.stp3.widgets.user import choose, reference, settled, until


def test_rows_and_formats_that_are_not_there_are_refused(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.choose_rows((0, 99))
        assert "the scan has 6 rows" in bench.submission.said.value
        bench.choose_format("<b>exe")
        assert "stp3-bad" in bench.submission.said.value
        assert "<b>exe" not in bench.submission.said.value
        assert (bench.shown.rows, bench.shown.format) == (range(6), "tiff")

    drive(scenario)


def test_from_submit_to_volume_once(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.recipe.axis.value = 66.0
        await settled(bench)
        bench.submission.rows.value = (2, 4)
        for _ in range(5):
            bench.submission.submit.click()
        await until(lambda: len(bench.desk.jobs) == 1)
        bench.submit()
        job, _ = bench.desk.jobs[0]
        await until(lambda: bench.desk.jobs[0][1].is_over, 90)
        assert len(list_jobs()) == 1
        assert job.state().state == "done", job.log()
        assert f'data-job="{job.id}"' in bench.desk.panel.about.value
        assert str(job.output) in bench.desk.panel.about.value
        assert "is done" in bench.submission.said.value
        bench.desk.panel.open.click()
        await until(lambda: bench.slices.mode.value == "Volume" and bench.viewer.state == "idle")
        bench.slices.slider.value = 1
        await settled(bench)
        assert bench.shown.row == 3
        np.testing.assert_array_equal(bench.viewer.picture, open_volume(job.output).slice(1))
        np.testing.assert_array_equal(bench.viewer.picture, reference(bench))
        bench.slices.mode.value = "Preview"
        await settled(bench)
        assert bench.slices.slider.value == 3

    drive(scenario)


def test_jobs_are_there_again_on_a_new_page(drive):
    async def scenario(bench):
        await choose(bench, "one.h5")
        bench.submission.rows.value = (0, 1)
        bench.submit()
        await until(lambda: len(bench.desk.jobs) == 1)
        bench.desk.cancel()
        again = Workbench()
        again.connected()
        await until(lambda: len(again.desk.panel.jobs.options) == 1)
        await until(lambda: again.desk.jobs[0][1].is_over, 60)
        assert again.desk.jobs[0][1].state in ("cancelled", "done")
        again.close()

    drive(scenario)
