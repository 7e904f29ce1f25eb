"""The transformers detector on tiny networks saved to disk in the real layout, and on networks of known answers."""

import socket
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.errors import BadInput, BadUsage, MissingExtra, MissingWeights
from dyad.core.skeleton import COCO17
from dyad.core.video import Video
from dyad.stages.huggingface import TransformersDetector

hf = pytest.importorskip("transformers", reason="the extra 'transformers' is not installed", minversion="5")

WIDTH, HEIGHT = 160, 120
BOX = (40.0, 20.0, 100.0, 100.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder for each kind of network, with random weights."""
    root = tmp_path_factory.mktemp("networks")
    resnet = hf.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    hgnet = hf.HGNetV2Config(
        embedding_size=8,
        stem_channels=[3, 8, 8],
        hidden_sizes=[8, 8, 16, 16],
        stage_in_channels=[8, 8, 8, 16],
        stage_mid_channels=[8, 8, 8, 8],
        stage_out_channels=[8, 8, 16, 16],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        depths=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )
    small: dict[str, Any] = {
        "encoder_hidden_dim": 16,
        "encoder_in_channels": [8, 16, 16],
        "encoder_ffn_dim": 16,
        "encoder_attention_heads": 2,
        "d_model": 16,
        "num_queries": 6,
        "decoder_in_channels": [16, 16, 16],
        "decoder_ffn_dim": 16,
        "decoder_layers": 2,
        "decoder_attention_heads": 2,
        "num_denoising": 0,
    }
    people: dict[str, Any] = {"id2label": {0: "dog", 1: "person"}, "label2id": {"dog": 0, "person": 1}}
    animals: dict[str, Any] = {"id2label": {0: "dog", 1: "cat"}, "label2id": {"dog": 0, "cat": 1}}
    networks = {
        "rt_detr": hf.RTDetrForObjectDetection(hf.RTDetrConfig(backbone_config=resnet, **small, **people)),
        "rt_detr_v2": hf.RTDetrV2ForObjectDetection(hf.RTDetrV2Config(backbone_config=resnet, **small, **people)),
        "d_fine": hf.DFineForObjectDetection(
            hf.DFineConfig(backbone_config=hgnet, decoder_n_points=[1, 1, 1], **small, **people)
        ),
        "animals": hf.RTDetrForObjectDetection(hf.RTDetrConfig(backbone_config=resnet, **small, **animals)),
    }
    for name, network in networks.items():
        network.save_pretrained(root / name)
        hf.RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(root / name)
    for name, joints, experts in (("vitpose", 17, 1), ("vitpose_plus", 17, 2), ("wholebody", 133, 1)):
        backbone = hf.VitPoseBackboneConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            mlp_ratio=1,
            out_indices=[1],
            num_experts=experts,
            part_features=8,
        )
        hf.VitPoseForPoseEstimation(hf.VitPoseConfig(backbone_config=backbone, num_labels=joints)).save_pretrained(
            root / name
        )
        hf.VitPoseImageProcessorPil().save_pretrained(root / name)
    return {path.name: path for path in root.iterdir()}


def noise(frames: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (frames, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("boxes", "poses"), [("rt_detr", "vitpose"), ("rt_detr_v2", "vitpose"), ("d_fine", "vitpose_plus")]
)
def test_random_networks_from_disk(folders: dict[str, Path], boxes: str, poses: str) -> None:
    images = noise()
    found = [
        list(TransformersDetector(folders[boxes], folders[poses], score_threshold=0.0, batch=n, crops=c)(Video(images)))
        for n, c in ((2, 2), (3, 16))
    ]
    for one, other in zip(*found, strict=True):
        assert len(one) > 0
        assert one.skeleton == COCO17
        assert one.xyz is None
        assert one.xy.shape == (len(one), 17, 2)
        assert bool(((one.confidence >= 0) & (one.confidence <= 1)).all())
        assert torch.equal(torch.isnan(one.xy).any(-1), one.confidence == 0)
        torch.testing.assert_close(one.boxes, other.boxes)
        torch.testing.assert_close(one.xy, other.xy, equal_nan=True, atol=1e-2, rtol=0)
    assert [d.frame for d in found[0]] == [0, 1, 2]


def test_it_gives_what_the_saved_network_gives(folders: dict[str, Path]) -> None:
    images = noise(1)
    network = hf.RTDetrForObjectDetection.from_pretrained(folders["rt_detr"]).eval()
    processor = hf.RTDetrImageProcessorPil.from_pretrained(folders["rt_detr"])
    with torch.inference_mode():
        outputs = network(**processor(images=list(images), return_tensors="pt"))
    detector = TransformersDetector(folders["rt_detr"], folders["vitpose"], score_threshold=0.0)
    best = detector.boxes(images)[0]
    torch.testing.assert_close(best.scores.max(), outputs.logits[0, :, 1].sigmoid().max())
    edges = outputs.pred_boxes[0, outputs.logits[0, :, 1].argmax()] * torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    torch.testing.assert_close(best.boxes[0, :2], edges[:2] - edges[2:] / 2 - 0.5)
    torch.testing.assert_close(best.boxes[0, 2:], edges[:2] + edges[2:] / 2 - 0.5)


def spots(places: np.ndarray, width: float = 9.0) -> np.ndarray:
    """A black picture (H, W, 3) with one soft spot in each channel, at the pixels (3, 2)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    squares = [(x - place[0]) ** 2 + (y - place[1]) ** 2 for place in places]
    return np.stack([np.round(250 * np.exp(-s / (2 * width**2))) for s in squares], -1).astype(np.uint8)


def knowing(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, box: tuple[float, ...], score: float = 0.9
) -> TransformersDetector:
    """A detector whose first network always answers `box`, and whose second draws channel j % 3 as joint j."""
    detector = TransformersDetector(folders["rt_detr"], folders["vitpose"])
    x0, y0, x1, y1 = (v + 0.5 for v in box)
    share = torch.tensor([(x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT])
    odds = torch.logit(torch.tensor(score))

    def boxes(pixel_values: Tensor) -> SimpleNamespace:
        count = len(pixel_values)
        logits = torch.stack(
            (torch.full((count, 2), 3.0), torch.stack((odds, torch.tensor(-9.0))).expand(count, 2)), -1
        )
        return SimpleNamespace(logits=logits, pred_boxes=share.expand(count, 2, 4))

    def heatmaps(pixel_values: Tensor) -> SimpleNamespace:
        mean, std = (
            torch.tensor(v)[:, None, None]
            for v in (detector.poses.processor.image_mean, detector.poses.processor.image_std)
        )
        small = F.interpolate(pixel_values * std + mean, (64, 48), mode="bilinear", align_corners=True)
        return SimpleNamespace(heatmaps=small[:, torch.arange(17) % 3])

    monkeypatch.setattr(detector.boxes.network, "forward", boxes)
    monkeypatch.setattr(detector.poses.network, "forward", heatmaps)
    return detector


PLACES = np.array([[58.25, 38.5], [85.0, 71.75], [50.5, 88.0]])


def test_peaks_return_to_their_pixels(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = knowing(folders, monkeypatch, BOX)(Video(spots(PLACES)[None]))
    expected = torch.tensor(PLACES[np.arange(17) % 3], dtype=torch.float32)
    torch.testing.assert_close(found.boxes, torch.tensor([BOX]))
    torch.testing.assert_close(found.scores, torch.tensor([0.9]))
    assert float((found.xy[0] - expected).abs().max()) < 0.5
    assert float(found.confidence.min()) > 0.8


def test_shift_and_mirror_commute(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    image = spots(PLACES)
    (start,) = knowing(folders, monkeypatch, BOX)(Video(image[None]))
    step = (17, -6)
    moved_box = (BOX[0] + step[0], BOX[1] + step[1], BOX[2] + step[0], BOX[3] + step[1])
    (moved,) = knowing(folders, monkeypatch, moved_box)(Video(spots(PLACES + np.array(step))[None]))
    assert float((moved.xy - start.xy - torch.tensor(step)).abs().max()) < 0.2
    flipped_box = (WIDTH - 1 - BOX[2], BOX[1], WIDTH - 1 - BOX[0], BOX[3])
    (flipped,) = knowing(folders, monkeypatch, flipped_box)(Video(np.ascontiguousarray(image[:, ::-1])[None]))
    assert float((WIDTH - 1 - flipped.xy[..., 0] - start.xy[..., 0]).abs().max()) < 0.2
    assert float((flipped.xy[..., 1] - start.xy[..., 1]).abs().max()) < 0.2


def test_people_in_any_order(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.stack([spots(PLACES), spots(PLACES + 8)])
    poses = knowing(folders, monkeypatch, BOX).poses
    owner, boxes = torch.tensor([1, 0, 1]), torch.tensor([BOX, BOX, (46.0, 30.0, 110.0, 104.0)])
    xy = poses(images, owner, boxes).xy
    expected = torch.tensor(PLACES[np.arange(17) % 3])[None] + 8 * owner[:, None, None]
    assert float((xy - expected).abs().max()) < 0.5


def test_nobody(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(knowing(folders, monkeypatch, BOX, score=0.2)(Video(noise(2))))
    assert [len(d) for d in found] == [0, 0]
    assert all(d.xyz is None and d.skeleton == COCO17 for d in found)
    (tiny,) = knowing(folders, monkeypatch, BOX)(Video(np.zeros((1, 2, 2, 3), np.uint8)))
    assert len(tiny) == 0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was looked up or connected to, while nothing answers."""
    asked: list[object] = []

    def refuse(*where: object, **_: object) -> None:
        asked.append(where)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


@pytest.mark.parametrize("name", ["an-owner/a-network", "a-network", "../no/such/folder"])
def test_a_name_without_a_pull_stays_offline(folders: dict[str, Path], asked: list[object], name: str) -> None:
    for pair in ((name, folders["vitpose"]), (folders["rt_detr"], name)):
        with pytest.raises(MissingWeights, match="pull") as raised:
            TransformersDetector(*pair)
        assert "\n" not in str(raised.value)
    assert asked == []


def test_an_earlier_pull_is_found_offline(
    folders: dict[str, Path], asked: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = import_module("huggingface_hub")
    home = tmp_path / "models--an-owner--a-network"
    snapshot = home / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0" * 40)
    for file in folders["d_fine"].iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub.try_to_load_from_cache("an-owner/a-network", "config.json")
    detector = TransformersDetector("an-owner/a-network", folders["vitpose"], score_threshold=0.0)
    assert len(detector.boxes(noise(1))[0].boxes) > 0
    assert asked == []


def test_unusable_folders(folders: dict[str, Path], tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        target = tmp_path / f"{name}_{len(list(tmp_path.iterdir()))}"
        target.mkdir()
        for file in folders[name].iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        return target

    empty = tmp_path / "empty"
    empty.mkdir()
    unweighted, broken, partial = copy("rt_detr"), copy("rt_detr"), copy("vitpose")
    (unweighted / "model.safetensors").unlink()
    (broken / "model.safetensors").write_bytes(b"not tensors at all")
    files = import_module("safetensors.torch")
    tensors = files.load_file(partial / "model.safetensors")
    lost = sorted(tensors)[0]
    files.save_file({k: v for k, v in tensors.items() if k != lost}, partial / "model.safetensors", {"format": "pt"})
    cases = [
        (empty, folders["vitpose"], MissingWeights, "config.json"),
        (unweighted, folders["vitpose"], MissingWeights, "safetensors"),
        (broken, folders["vitpose"], MissingWeights, "safetensors"),
        (folders["rt_detr"], partial, MissingWeights, lost),
        (folders["vitpose"], folders["vitpose"], BadInput, "rt_detr"),
        (folders["rt_detr"], folders["d_fine"], BadInput, "vitpose"),
        (folders["animals"], folders["vitpose"], BadInput, "person"),
        (folders["rt_detr"], folders["wholebody"], BadInput, "133"),
    ]
    for boxes, poses, kind, word in cases:
        with pytest.raises(kind, match=word) as raised:
            TransformersDetector(boxes, poses)
        assert "\n" not in str(raised.value)


def test_missing_extra_is_named(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"dyad-pose\[transformers\]"):
        TransformersDetector(folders["rt_detr"], folders["vitpose"])


@pytest.mark.parametrize("policy", [{"score_threshold": 1.5}, {"batch": 0}, {"crops": 0}])
def test_policy_out_of_range(folders: dict[str, Path], policy: dict) -> None:
    with pytest.raises(BadUsage):
        TransformersDetector(folders["rt_detr"], folders["vitpose"], **policy)
