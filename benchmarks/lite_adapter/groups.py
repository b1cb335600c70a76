"""Broad classes of the one image that each ImageNet class has: 17 groups, as of a lexicon.

What separates a measuring set such as seven kinds of picture from Caltech-101 is breadth: all dogs
are one class. Numbers are those of the 1000 classes in the order of their WordNet identifiers.
"""

from __future__ import annotations

_GROUPS = {
    "fish": "0-6 389-397",
    "bird": "7-24 80-100 127-146",
    "reptile": "25-68",
    "insect": "70-79 300-326",
    "dog": "151-268",
    "cat": "281-293",
    "hoofed": "339-355",
    "monkey": "365-384",
    "instrument": "401 402 420 432 486 494 513 541 546 558 566 577 579 593 594 641 642 683 684 687 "
    "699 776 822 875 881 889",
    "vehicle": "407 436 468 511 555 569 573 575 586 609 627 654 656 661 675 717 734 751 757 779 "
    "803 817 829 864 866 867 874",
    "boat": "403 472 484 510 554 576 625 628 780 814 833 871 914",
    "building": "410 425 437 442 449 483 497 498 500 538 580 624 660 663 668 698 727 743 762 832 "
    "853 858 873 900 915",
    "clothing": "399 400 411 445 474 568 578 601 608 610 614 617 638 639 655 689 697 735 775 834 "
    "841 842 869 887",
    "furniture": "423 453 493 495 516 520 526 532 559 564 703 736 765 831 857 894",
    "dish": "924-935 959-969",
    "fruit": "936-957",
    "landscape": "970-980",
}


def _numbers(text: str) -> tuple[int, ...]:
    spans = [part.split("-") for part in text.split()]
    return tuple(number for span in spans for number in range(int(span[0]), int(span[-1]) + 1))


BROAD = {group: _numbers(text) for group, text in _GROUPS.items()}
"""The numbers of each group's classes, by its name."""
