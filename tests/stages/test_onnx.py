"""The ONNX detector on small graphs whose answers are known."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.errors import BadInput, BadUsage, MissingExtra, MissingWeights
from dyad.core.skeleton import COCO17
from dyad.core.video import Video
from dyad.stages.onnx import RTMDET, RTMPOSE, YOLOX, OnnxBoxes, OnnxDetector, letterbox, peak
from dyad.stages.onnx_graph import OnnxGraph
from dyad.stages.topdown_boxes import Boxes, suppress

onnx = pytest.importorskip("onnx", reason="the package 'onnx', which writes the graphs, is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")

WIDTH, HEIGHT = 160, 120
SIDE = 64  # of the detector's input
RATIO = SIDE / WIDTH
BOX = (40.0, 20.0, 100.0, 100.0)
PLACES = np.array([[58.25, 38.5], [85.0, 71.75], [50.5, 88.0]])
INDEX = np.arange(17) % 3


def save(path: Path, nodes: list, constants: dict[str, np.ndarray], outputs: dict[str, list], shape: list) -> Path:
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", kinds.FLOAT, shape)],
        [
            helper.make_tensor_value_info(name, kinds.INT64 if name == "labels" else kinds.FLOAT, size)
            for name, size in outputs.items()
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def fixed(path: Path, outputs: dict[str, np.ndarray], batch: int | str = 1, side: int | str = SIDE) -> Path:
    """A graph that answers `outputs` to any picture."""
    nodes = [onnx.helper.make_node("Identity", [f"{name}_value"], [name]) for name in outputs]
    shapes = {name: list(value.shape) for name, value in outputs.items()}
    return save(path, nodes, {f"{n}_value": v for n, v in outputs.items()}, shapes, [batch, 3, side, side])


def inside(*boxes: tuple[float, ...]) -> np.ndarray:
    """Pixel boxes as the detector sees them: from the edge of the shrunk picture."""
    return (np.array(boxes, np.float32) + 0.5) * RATIO


def suppressed(path: Path, boxes: np.ndarray, scores: list[float], labels: list[int]) -> Path:
    rows = np.concatenate((boxes, np.array(scores, np.float32)[:, None]), 1)[None]
    return fixed(path, {"dets": rows.astype(np.float32), "labels": np.array([labels], np.int64)})


def raw(path: Path, boxes: np.ndarray, scores: list[float], classes: int = 80) -> Path:
    """YOLOX's rows as its head gives them, each box in a cell of its own on the level of stride 8."""
    cells = [(8, x, y) for y in range(8) for x in range(8)]
    cells += [(16, x, y) for y in range(4) for x in range(4)] + [(32, x, y) for y in range(2) for x in range(2)]
    rows = np.zeros((1, len(cells), 5 + classes), np.float32)
    for n, (box, score) in enumerate(zip(boxes, scores, strict=True)):
        row = 11 + 60 * n  # stride 8, then stride 16
        stride, x, y = cells[row]
        centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        rows[0, row, :2] = centre / stride - (x, y)
        rows[0, row, 2:4] = np.log(size / stride)
        rows[0, row, 4:6] = (1.0, score)
        rows[0, row, 6:] = 0.05
    rows[0, 30, 4] = 1
    rows[0, 30, 6:8] = 0.9  # sure of something that is no person
    return fixed(path, {"output": rows})


def reader(path: Path, joints: int = 17, *, split: int = 2, depth: bool = False, batch: int | str = "N") -> Path:
    """A pose net of 192 x 256 whose joint j lies where channel j % 3 is brightest."""
    make = onnx.helper.make_node
    constants = {"order": (np.arange(joints) % 3).astype(np.int64)}
    nodes = [make("Gather", ["input", "order"], ["all"], axis=1)]
    outputs = {}
    for name, axis, length in (("simcc_x", 2, 192), ("simcc_y", 3, 256)):
        middle = np.linspace(0, length - 1 / split, length * split)[None] - np.arange(length)[:, None]
        constants[f"{name}_spread"] = np.clip(1 - np.abs(middle), 0, None).astype(np.float32)
        nodes += [
            make("ReduceMax", ["all"], [f"{name}_line"], axes=[axis], keepdims=0),
            make("MatMul", [f"{name}_line", f"{name}_spread"], [f"{name}_high"]),
            make("Div", [f"{name}_high", "top"], [name]),
        ]
        outputs[name] = [batch, joints, length * split]
    constants["top"] = np.array(2.7, np.float32)
    if depth:
        nodes.append(make("Identity", ["simcc_y"], ["simcc_z"]))
        outputs["simcc_z"] = outputs["simcc_y"]
    return save(path, nodes, constants, outputs, [batch, 3, 256, 192])


def spots(places: np.ndarray, width: float = 9.0) -> np.ndarray:
    """A black picture (H, W, 3) with one soft spot in each channel, at the pixels (3, 2)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    squares = [(x - place[0]) ** 2 + (y - place[1]) ** 2 for place in places]
    return np.stack([np.round(250 * np.exp(-s / (2 * width**2))) for s in squares], -1).astype(np.uint8)


@pytest.mark.parametrize("form", ["raw", "raw of one class", "suppressed yolox", "suppressed rtmdet"])
def test_boxes_and_peaks_return_to_their_pixels(tmp_path: Path, form: str) -> None:
    other = (10.0, 5.0, 38.0, 60.0)
    boxes = inside(BOX, other)
    if form.startswith("raw"):
        file = raw(tmp_path / "boxes.onnx", boxes, [0.9, 0.6], 1 if "one" in form else 80)
    else:
        file = suppressed(
            tmp_path / f"{form}.onnx", np.concatenate((boxes, boxes)), [0.9, 0.6, 0.95, 0.2], [0, 0, 2, 0]
        )
    detector = OnnxDetector(file, reader(tmp_path / "poses.onnx"), threads=1)
    (found,) = detector(Video(spots(PLACES)[None]))
    torch.testing.assert_close(found.boxes, torch.tensor([BOX, other]), atol=1e-2, rtol=0)
    torch.testing.assert_close(found.scores, torch.tensor([0.9, 0.6]))
    assert found.skeleton == COCO17
    assert found.xyz is None
    expected = torch.tensor(PLACES[INDEX], dtype=torch.float32)
    assert float((found.xy[0] - expected).abs().max()) < 0.5
    assert float(found.confidence[0].min()) > 0.7


@pytest.mark.parametrize(
    ("joints", "depth", "split"), [(17, False, 1), (26, False, 2), (133, False, 2), (133, True, 2)]
)
def test_skeletons_give_the_same_seventeen(tmp_path: Path, joints: int, depth: bool, split: int) -> None:
    file = raw(tmp_path / "boxes.onnx", inside(BOX), [0.9])
    detector = OnnxDetector(file, reader(tmp_path / "poses.onnx", joints, depth=depth, split=split), threads=1)
    (found,) = detector(Video(spots(PLACES)[None]))
    assert found.xy.shape == (1, 17, 2)
    assert float((found.xy[0] - torch.tensor(PLACES[INDEX])).abs().max()) < 0.5


def test_shift_and_mirror_commute(tmp_path: Path) -> None:
    def at(box: tuple[float, ...], image: np.ndarray) -> torch.Tensor:
        file = raw(tmp_path / "boxes.onnx", inside(box), [0.9])
        # One bin a pixel: what this graph draws between pixels is no parabola, and ties would not mirror.
        (found,) = OnnxDetector(file, reader(tmp_path / "poses.onnx", split=1), threads=1)(Video(image[None]))
        return found.xy[0]

    image = spots(PLACES)
    start = at(BOX, image)
    step = (17, -6)
    moved = at((BOX[0] + step[0], BOX[1] + step[1], BOX[2] + step[0], BOX[3] + step[1]), spots(PLACES + np.array(step)))
    assert float((moved - start - torch.tensor(step)).abs().max()) < 0.1
    flipped = at((WIDTH - 1 - BOX[2], BOX[1], WIDTH - 1 - BOX[0], BOX[3]), np.ascontiguousarray(image[:, ::-1]))
    assert float((WIDTH - 1 - flipped[:, 0] - start[:, 0]).abs().max()) < 0.1
    assert float((flipped[:, 1] - start[:, 1]).abs().max()) < 0.1


def test_batches_do_not_matter(tmp_path: Path) -> None:
    # Sharp spots off the middle between two pixels: on a flat top the last bit would decide which bin is highest.
    images = np.stack([spots(PLACES + n + 0.2, 3.0) for n in range(5)])
    boxes = inside(BOX, (10.0, 5.0, 60.0, 90.0))
    file = suppressed(tmp_path / "yolox.onnx", boxes, [0.9, 0.8], [0, 0])
    answers = []
    for name, batch, crops, size in (("a", 1, 1, "N"), ("b", 5, 16, "N"), ("c", 3, 16, 1), ("d", 3, 16, 4)):
        poses = reader(tmp_path / f"{name}.onnx", batch=size, split=1)
        answers.append(list(OnnxDetector(file, poses, batch=batch, crops=crops, threads=1)(Video(images))))
    for other in answers[1:]:
        for one, two in zip(answers[0], other, strict=True):
            assert (one.frame, one.time, one.cut) == (two.frame, two.time, two.cut)
            torch.testing.assert_close(one.xy, two.xy, atol=1e-3, rtol=0, equal_nan=True)
    first, last = answers[0][0], answers[0][4]
    assert float((last.xy[0] - first.xy[0] - 4).abs().max()) < 0.1


def test_pixels_are_prepared_as_the_nets_learnt_them() -> None:
    image = np.full((1, 30, 60, 3), (255, 0, 51), np.uint8)
    pixels, ratio = letterbox(image, 32, 32)
    assert ratio == pytest.approx(32 / 60)
    yolox, rtmdet, rtmpose = (prepare(pixels)[0] for prepare in (YOLOX, RTMDET, RTMPOSE))
    np.testing.assert_allclose(yolox[:, 4, 4], (51, 0, 255), atol=1e-3)
    np.testing.assert_allclose(yolox[:, 20, 4], (114, 114, 114), atol=1e-3)
    np.testing.assert_allclose(
        rtmdet[:, 4, 4], ((51 - 103.53) / 57.375, -116.28 / 57.12, (255 - 123.675) / 58.395), 1e-4
    )
    np.testing.assert_allclose(
        rtmpose[:, 4, 4], ((255 - 123.675) / 58.395, -116.28 / 57.12, (51 - 103.53) / 57.375), 1e-4
    )


def test_letterbox_keeps_places() -> None:
    for height, width, shape in ((64, 64, (120, 160)), (64, 96, (120, 160)), (96, 64, (40, 30))):
        y, x = np.mgrid[: shape[0], : shape[1]]
        place = np.array((0.3 * shape[1], 0.7 * shape[0]))
        spread = 2 * (0.06 * shape[1]) ** 2
        spot = 250 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / spread)
        pixels, ratio = letterbox(np.repeat(spot[None, ..., None], 3, -1).astype(np.uint8), height, width)
        seen = pixels[0, 0, : int(shape[0] * ratio), : int(shape[1] * ratio)]
        row, column = divmod(int(seen.argmax()), seen.shape[1])
        assert abs((column + 0.5) / ratio - 0.5 - place[0]) <= 0.6 / ratio
        assert abs((row + 0.5) / ratio - 0.5 - place[1]) <= 0.6 / ratio


def test_peaks_between_bins() -> None:
    bins = torch.arange(64.0)
    places = torch.tensor([10.0, 20.3, 31.75, 5.5])
    scores = torch.exp(-((bins - places[:, None]) ** 2) / (2 * 5.0**2))
    found, height = peak(scores)
    torch.testing.assert_close(found, places, atol=0.02, rtol=0)
    assert float(height.min()) > 0.99
    flat, _ = peak(torch.zeros(2, 8))
    assert bool(torch.isfinite(flat).all())
    border, _ = peak(torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]]))
    assert border.tolist() == [0, 2]


def test_silent_joints_are_missing(tmp_path: Path) -> None:
    (found,) = OnnxDetector(
        raw(tmp_path / "boxes.onnx", inside(BOX), [0.9]), reader(tmp_path / "poses.onnx"), threads=1
    )(Video(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)))
    assert len(found) == 1
    assert bool(torch.isnan(found.xy).all())
    assert bool((found.confidence == 0).all())


def test_nobody(tmp_path: Path) -> None:
    poses = reader(tmp_path / "poses.onnx")
    weak = raw(tmp_path / "weak.onnx", inside(BOX), [0.2])
    none = fixed(
        tmp_path / "yolox.onnx", {"dets": np.zeros((1, 0, 5), np.float32), "labels": np.zeros((1, 0), np.int64)}
    )
    for file in (weak, none):
        found = list(OnnxDetector(file, poses, threads=1)(Video(np.stack([spots(PLACES)] * 2))))
        assert [len(d) for d in found] == [0, 0]
        assert all(d.xyz is None and d.xy.shape == (0, 17, 2) for d in found)
    (tiny,) = OnnxDetector(weak, poses, score_threshold=0.1, threads=1)(Video(np.zeros((1, 2, 2, 3), np.uint8)))
    assert len(tiny) == 0


def test_suppression_keeps_the_best_of_a_group() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10], [0, 0, 4, 4]])
    kept = suppress(Boxes(boxes, torch.tensor([0.5, 0.9, 0.3, 0.8])), 0.6)
    torch.testing.assert_close(kept.scores, torch.tensor([0.9, 0.8, 0.3]))
    assert len(suppress(Boxes(torch.zeros(0, 4), torch.zeros(0)), 0.6).boxes) == 0


def test_open_input_size(tmp_path: Path) -> None:
    rows = np.zeros((1, 1, 5), np.float32)
    graph = OnnxGraph(fixed(tmp_path / "yolox.onnx", {"dets": rows}, "N", "S"), threads=1)
    assert (graph.height, graph.width, graph.fixed_size) == (640, 640, False)
    assert len(OnnxBoxes(graph, family=None, threshold=0.4, overlap=0.6)(spots(PLACES)[None])[0].boxes) == 0


def test_unusable_files(tmp_path: Path) -> None:
    poses = reader(tmp_path / "poses.onnx")
    boxes = raw(tmp_path / "boxes.onnx", inside(BOX), [0.9])
    text = tmp_path / "text.onnx"
    text.write_text("no graph")
    nameless = suppressed(tmp_path / "end2end.onnx", inside(BOX), [0.9], [0])
    odd = fixed(tmp_path / "yolox_odd.onnx", {"output": np.zeros((1, 50, 85), np.float32)})
    flat = fixed(tmp_path / "yolox_flat.onnx", {"output": np.zeros((1, 50), np.float32)})
    strange = reader(tmp_path / "strange.onnx", 21)
    cases = [
        (tmp_path / "absent.onnx", poses, MissingWeights, "absent"),
        (text, poses, MissingWeights, "text"),
        (boxes, tmp_path, MissingWeights, "expected an ONNX file"),
        (nameless, poses, BadUsage, "family"),
        (odd, poses, BadInput, "50 rows"),
        (flat, poses, BadInput, r"\(1, 50\)"),
        (boxes, strange, BadInput, "21"),
        (boxes, boxes, BadInput, "SimCC"),
    ]
    for first, second, kind, word in cases:
        with pytest.raises(kind, match=word) as raised:
            list(OnnxDetector(first, second, threads=1)(Video(spots(PLACES)[None])))
        assert "\n" not in str(raised.value)
    assert len(next(iter(OnnxDetector(nameless, poses, family="rtmdet", threads=1)(Video(spots(PLACES)[None]))))) == 1


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"dyad-pose\[onnx\]"):
        OnnxDetector(tmp_path / "a.onnx", tmp_path / "b.onnx")


@pytest.mark.parametrize(
    "policy", [{"score_threshold": -1}, {"overlap": 0}, {"batch": 0}, {"family": "other"}, {"device": "toaster"}]
)
def test_policy_out_of_range(tmp_path: Path, policy: dict) -> None:
    with pytest.raises(BadUsage):
        OnnxDetector(raw(tmp_path / "boxes.onnx", inside(BOX), [0.9]), reader(tmp_path / "poses.onnx"), **policy)
