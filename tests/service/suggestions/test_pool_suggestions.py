"""Images of a pool against a support set, with labels and without."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from service.suggestions.pool_suggestions import Suggestions, class_numbers, suggest


def images(n: int, seed: int) -> Tensor:
    return normalize(torch.rand(n, 16, generator=torch.Generator().manual_seed(seed)) ** 2, dim=1)


def test_labels_of_a_pool_are_numbered_as_the_classes_are() -> None:
    classes = {"ant": 7, "bee": 3}
    numbers = class_numbers(["bee", "cat", "ant", "cat", "dog"], classes)
    assert numbers is not None
    assert numbers.tolist()[::2] == [3, 7, numbers.tolist()[4]]
    new = numbers[[1, 3, 4]].tolist()
    assert new[0] == new[1] != new[2]
    assert not set(new) & set(classes.values())
    assert class_numbers(None, classes) is None


def test_one_folder_is_a_class_only_where_it_is_called_so() -> None:
    assert class_numbers(["photos"] * 3, {"ant": 0}) is None
    assert class_numbers(["photos"] * 3, {}) is None
    numbers = class_numbers(["ant"] * 3, {"ant": 5})
    assert numbers is not None
    assert numbers.tolist() == [5, 5, 5]


def test_with_labels_only_support_images_of_the_class_count_as_covered() -> None:
    pool, support = images(12, 0), images(4, 1)
    labels = torch.arange(12) % 2
    of_one = suggest(pool, labels, support, torch.ones(4, dtype=torch.int64), 12)
    none = suggest(pool, labels, support[:0], torch.empty(0, dtype=torch.int64), 12)

    def first(found: Suggestions, label: int) -> float:
        return next(
            one.coverage - one.gain for one in found.suggested if labels[one.position] == label
        )

    assert first(of_one, 1) > 0.01
    assert abs(first(of_one, 0)) < 1e-6
    assert abs(first(none, 0)) < 1e-6
    assert [one.position for one in of_one.suggested if labels[one.position] == 0] == [
        one.position for one in none.suggested if labels[one.position] == 0
    ]


def test_each_image_is_suggested_or_registered_and_named_with_its_nearest() -> None:
    pool, support = images(10, 0), torch.cat([images(3, 1), images(10, 0)[[2, 5]]])
    labels = torch.zeros(5, dtype=torch.int64)
    found = suggest(pool, None, support, labels, 10)
    assert [one.position for one in found.registered] == [2, 5]
    assert [one.nearest.row for one in found.registered] == [3, 4]
    assert sorted(one.position for one in found.suggested) == [0, 1, 3, 4, 6, 7, 8, 9]
    for one in found.suggested:
        assert one.nearest is not None
        similarities = support @ pool[one.position]
        assert one.nearest.row == int(similarities.argmax())
        assert abs(one.nearest.similarity - float(similarities.max())) < 1e-5
