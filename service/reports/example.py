"""Example of a report for the documentation of the API."""

from __future__ import annotations

from typing import Any

_IMAGES = "/v1/classifiers/land-cover/classes/{}/images/{}"


def _image(label: str, name: str, image_id: str) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "label": label,
        "filename": name,
        "media_type": "image/jpeg",
        "url": _IMAGES.format(label.replace(" ", "%20"), image_id),
    }


_FOREST = _image("forest", "a.jpg", "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1")
_LAKE = _image("sea lake", "lake-7.jpg", "6f0d2e0c3f5f4e0c9a5b7a1c2d3e4f50")
_SUSPECT = _FOREST | {
    "named": "sea lake",
    "probability": 0.97,
    "own_probability": 0.03,
    "nearest": _LAKE | {"similarity": 0.93},
}
_COPY = _image("forest", "frame-12.jpg", "c2a7e9d41b7f4f0e8e2d3a6b5c4d7e8f")

ADVICE_EXAMPLE: dict[str, Any] = {
    "classifier": "land-cover",
    "verdict": "not enough",
    "text": "Not yet enough. Expect 95 % of new images like these to be named rightly; 8 more"
    " images a class are worth about 2 points (0 to 3).",
    "more": 8,
    "curve": {
        "shots": 16.0,
        "measured": [
            {"shots": 16.0, "accuracy": 0.96875},
            {"shots": 8.0, "accuracy": 0.9375},
            {"shots": 4.0, "accuracy": 0.890625},
        ],
        "expected": [
            {"shots": 4.0, "value": 0.89, "low": 0.83, "high": 0.94},
            {"shots": 16.0, "value": 0.95, "low": 0.91, "high": 0.98},
            {"shots": 24.0, "value": 0.97, "low": 0.92, "high": 0.99},
        ],
        "accuracy": {"value": 0.95, "low": 0.91, "high": 0.98},
        "gain": {"value": 0.016, "low": 0.0, "high": 0.031},
    },
    "classes": [
        {
            "label": "forest",
            "n_images": 16,
            "n_votes": 16,
            "recall": {"value": 0.94, "low": 0.87, "high": 0.99},
            "gain": {"value": 0.012, "low": -0.004, "high": 0.034},
            "text": "8 more images of it are worth about 1 point (−0.4 to 3) of its accuracy, now"
            " about 94 %.",
        },
        {
            "label": "sea lake",
            "n_images": 16,
            "n_votes": 16,
            "recall": {"value": 0.98, "low": 0.93, "high": 1.0},
            "gain": {"value": 0.006, "low": -0.002, "high": 0.018},
            "text": "8 more images of it are worth about 0.6 points (−0.2 to 2) of its accuracy,"
            " now about 98 %.",
        },
    ],
    "n_can_go": 1,
    "can_go": [_COPY | {"reason": "near copy", "similar": _FOREST | {"similarity": 0.99}}],
    "look_at": [_SUSPECT],
}

EXAMPLE: dict[str, Any] = {
    "classifier": "land-cover",
    "n_classes": 2,
    "n_images": 32,
    "n_negatives": 0,
    "tuning": {
        "method": "auto",
        "head": "auto",
        "temperature": 31.9,
        "votes": 32,
        "accuracy": 0.96875,
    },
    "examined": {"images": 32, "complete": True, "near_copies_left_out": 0, "votes": 32},
    "accuracy": 0.96875,
    "classes": [
        {
            "label": "forest",
            "n_images": 16,
            "n_votes": 16,
            "accuracy": 0.9375,
            "confused_with": "sea lake",
        },
        {
            "label": "sea lake",
            "n_images": 16,
            "n_votes": 16,
            "accuracy": 1.0,
            "confused_with": None,
        },
    ],
    "confusions": [{"label": "forest", "named": "sea lake", "count": 1}],
    "confusion_matrix": {"labels": ["forest", "sea lake"], "rows": [[15, 1], [0, 16]]},
    "n_suspects": 1,
    "suspects": [_SUSPECT],
    "n_redundant": 1,
    "redundant": [_COPY | {"copy_of": _FOREST | {"similarity": 0.99}}],
    "advice": ADVICE_EXAMPLE,
    "overlap": {
        "frozen": {
            "overlap": 0.25,
            "n_paired": 480,
            "n_unpaired": 512,
            "bins": [
                {"low": 0.5, "high": 0.51, "paired": 0.25, "unpaired": 1.0},
                {"low": 0.8, "high": 0.81, "paired": 0.75, "unpaired": 0.0},
            ],
        },
        "corrected": {
            "overlap": 0.125,
            "n_paired": 480,
            "n_unpaired": 512,
            "bins": [
                {"low": 0.4, "high": 0.41, "paired": 0.125, "unpaired": 1.0},
                {"low": 0.8, "high": 0.81, "paired": 0.875, "unpaired": 0.0},
            ],
        },
    },
    "measures": {
        "is_corrected": True,
        "same_space": False,
        "n_judged": 32,
        "gained": 2,
        "lost": 0,
        "frozen": {
            "neighbour_accuracy": 0.90625,
            "paired_similarity": 0.71,
            "unpaired_similarity": 0.52,
            "uniformity": -1.42,
            "variance": 0.39,
            "texts": {
                "alignment": 1.53,
                "relative_alignment": -0.11,
                "modality_gap": 0.83,
                "uniformity": -1.61,
            },
        },
        "corrected": {
            "neighbour_accuracy": 0.96875,
            "paired_similarity": 0.66,
            "unpaired_similarity": 0.38,
            "uniformity": -1.77,
            "variance": 0.48,
            "texts": None,
        },
    },
    "calibration": {
        "error": 0.02,
        "bins": [
            {"low": 0.9, "high": 1.0, "count": 32, "confidence": 0.98875, "accuracy": 0.96875}
        ],
    },
    "shift": {"queries": 256, "mean_p_value": 0.47, "detected": False, "detail": None},
}
