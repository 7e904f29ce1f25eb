"""People in single images: COCO results against annotations, under `coco` and `crowdpose`."""

from dataclasses import asdict
from pathlib import Path

from dyad.bench.predictions import read_results
from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.datasets.coco import CocoFile, coco_split, read_coco
from dyad.datasets.crowdpose import crowdpose_split
from dyad.evaluation.average_precision import AveragePrecision, CrowdPoseAP
from dyad.evaluation.protocols import Protocol
from dyad.evaluation.report import Report


def evaluate_images(predictions: Path, truth: Path, rules: Protocol) -> Report:
    """Score a COCO results file. `truth`: the data set's folder, or one annotation file with its joints."""
    file = _annotations(truth, rules)
    results = _results(predictions)
    found = read_results(results, file.skeleton)
    images = sorted(file.images, key=lambda image: (isinstance(image.id, str), image.id))
    known = {image.id for image in images}
    if found and not known & set(found):
        raise BadInput(f"{results} has no result for any of the {len(known)} images of {file.path}")
    pairs = [(image, found.get(image.id) or Detections.none(0, 0.0, file.skeleton)) for image in images]
    if rules.name == "crowdpose":
        scores = CrowdPoseAP()(pairs)
        values = {
            **asdict(scores.all),
            "ap_easy": scores.ap_easy,
            "ap_medium_crowd": scores.ap_medium,
            "ap_hard": scores.ap_hard,
        }
    else:
        values = asdict(AveragePrecision(joints=rules.joints)(pairs))
    notes = []
    if strangers := set(found) - known:
        notes.append(f"results of {len(strangers)} images that the truth does not have are left out")
    return Report(
        protocol=rules,
        clips={},
        total={name: values[name] for name in rules.metrics},
        matching="oks, best score first",
        facts={"images": len(images), "people": sum(not p.ignored for image in images for p in image.people)},
        notes=tuple(notes),
    )


def _annotations(truth: Path, rules: Protocol) -> CocoFile:
    if not truth.exists():
        raise BadInput(f"there is no truth at {truth}")
    if truth.is_file():
        file = read_coco(truth, keep_missing=True)
    elif rules.name == "crowdpose":
        file = crowdpose_split(truth, rules.split or "test")
    else:
        file = coco_split(truth, rules.split or "val2017")
    if file.joints != rules.joints:
        raise BadInput(f"{file.path} should have the joints {', '.join(rules.joints)}, got {', '.join(file.joints)}")
    return file


def _results(path: Path) -> Path:
    if not path.exists():
        raise BadInput(f"there are no predictions at {path}")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if len(files) != 1:
        raise BadInput(f"{path} should hold one COCO results file, got {len(files)} .json")
    return files[0]
