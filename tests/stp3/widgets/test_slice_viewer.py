"""The kernel's half of the slice viewer: what it sends, when, and what it takes from a page."""

import numpy as np
import pytest

from stp3.widgets.slice_viewer import SliceViewer


class Listened(SliceViewer):
    """A viewer whose messages to the page can be read."""

    def __init__(self):
        self.sent = []
        super().__init__("Nothing here yet.")

    def send(self, content, buffers=None):
        self.sent.append((content, [bytes(buffer) for buffer in buffers or ()]))

    def hear(self, **content):
        self._hear(self, content, [])

    @property
    def frames(self):
        return [(content, buffers[0]) for content, buffers in self.sent if content["kind"] == "frame"]


@pytest.fixture
def viewer():
    return Listened()


def test_nothing_is_sent_before_a_page_asks(viewer):
    viewer.show(np.zeros((2, 3), np.float32))
    assert viewer.frames == []
    viewer.hear(kind="want", have=0)
    assert len(viewer.frames) == 1


def test_a_waiting_page_gets_the_next_picture_and_then_asks_again(viewer):
    viewer.hear(kind="want", have=0)
    for value in range(3):
        viewer.show(np.full((2, 2), value, np.float32))
    assert [content["frame"] for content, _ in viewer.frames] == [1]
    viewer.hear(kind="want", have=1)
    assert [content["frame"] for content, _ in viewer.frames] == [1, 3]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("float32", "float32"),
        ("uint16", "uint16"),
        ("uint8", "uint8"),
        ("float64", "float32"),
        ("int32", "float32"),
        (">f4", "float32"),
    ],
)
def test_pixels_arrive_as_they_are(viewer, given, sent):
    image = np.arange(12).reshape(3, 4).astype(given)
    viewer.hear(kind="want", have=0)
    viewer.show(image, pixel_size_um=1.5, unit="per column", title="t", subject="s")
    content, pixels = viewer.frames[0]
    assert content["dtype"] == sent
    assert content["shape"] == [3, 4]
    np.testing.assert_array_equal(np.frombuffer(pixels, sent).reshape(3, 4), image)


def test_a_transposed_picture_is_sent_in_reading_order(viewer):
    image = np.arange(6, dtype=np.float32).reshape(2, 3).T
    viewer.hear(kind="want", have=0)
    viewer.show(image)
    content, pixels = viewer.frames[0]
    np.testing.assert_array_equal(np.frombuffer(pixels, "float32").reshape(content["shape"]), image)


def test_a_stack_is_no_picture(viewer):
    with pytest.raises(ValueError, match=r"two dimensions .* \(2, 2, 2\)"):
        viewer.show(np.zeros((2, 2, 2)))


def test_states_are_sent_when_they_change(viewer):
    viewer.busy("Ring removal")
    viewer.busy("Ring removal")
    viewer.fault("<b>no</b>")
    viewer.idle()
    assert [content["state"] for content, _ in viewer.sent] == ["busy", "error", "idle"]


def test_a_new_page_hears_the_state_and_is_announced(viewer):
    calls = []
    viewer.on_ready = lambda: calls.append("ready")
    viewer.hear(kind="ready")
    assert calls == ["ready"]
    assert viewer.sent[-1][0]["state"] == "idle"


@pytest.mark.parametrize(
    "limits",
    [[1, 0], [1], [0, 1, 2], ["0", "1"], [float("nan"), 1], [0, float("inf")], None, "01", {"a": 1}, [[0], [1]]],
)
def test_limits_that_are_none_are_passed_over(viewer, limits):
    viewer.hear(kind="limits", limits=[-1, 2.5])
    viewer.hear(kind="limits", limits=limits)
    assert viewer.limits == (-1.0, 2.5)


@pytest.mark.parametrize(
    "message", [None, 3, "want", [], {}, {"kind": []}, {"kind": "step", "by": 5}, {"kind": "step", "by": "1"}]
)
def test_messages_not_agreed_on_do_nothing(viewer, message):
    steps = []
    viewer.on_step = steps.append
    viewer._hear(viewer, message, [])
    assert steps == []
    assert viewer.sent == []


def test_page_keys_move_by_one(viewer):
    steps = []
    viewer.on_step = steps.append
    viewer.hear(kind="step", by=1)
    viewer.hear(kind="step", by=-1)
    assert steps == [1, -1]
