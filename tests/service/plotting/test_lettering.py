"""Text of any script in pictures: glyphs and no boxes, in reading order, and words where none."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import wcwidth
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from adapters.measures.calibration import Calibration
from service.evaluation.metrics import BINS
from service.evaluation.result_plots import accuracy_plot, reliability_diagram
from service.evaluation.summary import Estimate
from service.plotting import fonts
from service.plotting.fonts import graphemes
from service.plotting.lettering import Lettering, joined_left_to_right, shortened, wrapped
from service.reports.example import EXAMPLE
from service.reports.picture import picture
from service.reports.schemas import ReportOut

SCRIPTS = {
    "Latin": ("Käfig $x$ a_b", "DejaVuSans"),
    "simplified Chinese": ("猫和狗", "NotoSansCJKjp-Regular"),
    "traditional Chinese": ("貓與國", "NotoSansCJKjp-Regular"),
    "Japanese": ("ねこネコ猫", "NotoSansCJKjp-Regular"),
    "Korean": ("고양이", "NotoSansCJKjp-Regular"),
    "Arabic": ("قطة", "DejaVuSans"),
    "Persian": ("گربه", "DejaVuSans"),
    "Hebrew": ("חתול", "DejaVuSans"),
    "Devanagari": ("बिल्ली", "NotoSansDevanagari-Regular"),
    "Thai": ("แมวน้ำ", "NotoSansThai-Regular"),
    "Bengali": ("বিড়াল", "NotoSansBengali-Regular"),
    "emoji": ("🐈👨‍👩‍👧❤️‍🔥👩🏽‍🌾🇩🇪", "NotoEmoji-Regular"),
}
#: Cuneiform: in none of the packages.
NOWHERE = "𒀀𒀁"


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    """Matplotlib warns of glyphs that it draws as boxes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def no_other_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where the packages are not installed and the system has no fonts."""
    fonts._coverage.cache_clear()
    monkeypatch.setattr(fonts, "_faces", lambda: iter(()))
    yield
    fonts._coverage.cache_clear()


def glyphs(text: str, also: str = "") -> list[tuple[str, int]]:
    """Font and glyph number of what is drawn for a text, from left to right."""
    figure = Figure()
    figure.text(0.1, 0.5, text, **Lettering.of([text, also]).style)
    svg = io.BytesIO()
    figure.savefig(svg, format="svg")
    drawn = []
    for used in ET.fromstring(svg.getvalue()).iter("{http://www.w3.org/2000/svg}use"):
        name = used.attrib["{http://www.w3.org/1999/xlink}href"].removeprefix("#")
        at = re.search(r"translate\(([-\d.]+)", used.get("transform", "translate(0"))
        assert at
        font, _, number = name.rpartition("-")
        drawn.append((float(at[1]), font, int(number, 16)))
    return [(font, number) for _, font, number in sorted(drawn)]


def report(labels: list[str]) -> ReportOut:
    """The example with other labels."""
    rows = [[4 * (i == j) for i in range(len(labels))] for j in range(len(labels))]
    classes = [
        {"label": label, "n_images": 4, "n_votes": 4, "accuracy": 0.5, "confused_with": None}
        for label in labels
    ]
    return ReportOut.model_validate(
        EXAMPLE
        | {
            "n_classes": len(labels),
            "classes": classes,
            "confusion_matrix": {"labels": labels, "rows": rows},
            "confusions": [{"label": labels[0], "named": labels[-1], "count": 1}],
        }
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_is_drawn_in_a_font_that_has_it(script: str) -> None:
    text, font = SCRIPTS[script]
    drawn = glyphs(text)
    assert {used for used, _ in drawn} <= {font, "DejaVuSans"}
    assert any(used == font for used, _ in drawn)
    assert all(number for _, number in drawn)  # 0 is the box
    assert Lettering.of([text]).with_code_points(text) == text


def test_right_to_left_text_runs_from_the_right() -> None:
    together, first, last = glyphs("אב"), glyphs("א"), glyphs("ב")
    assert together == last + first


def test_arabic_letters_are_joined() -> None:
    # Initial, medial and final form of one letter, and none as it looks alone.
    assert len({*glyphs("ببب"), *glyphs("ب")}) == 4


def test_letters_and_a_joined_emoji_are_one_glyph_where_readers_see_one() -> None:
    assert len(glyphs("👨‍👩‍👧")) == 1
    assert len(glyphs("क्ष")) == 1


def test_han_characters_have_japanese_forms_beside_kana_and_chinese_ones_otherwise() -> None:
    assert glyphs("直") != glyphs("直", also="ネコ")
    assert glyphs("直", also="猫") == glyphs("直")


def test_a_confusion_points_from_left_to_right_between_right_to_left_names() -> None:
    alef, arrow, bet = glyphs("א")[0], glyphs("→")[0], glyphs("ב")[0]
    joined = joined_left_to_right("א", "ב", by="→")
    drawn = [glyph for glyph in glyphs(joined) if glyph in {alef, arrow, bet}]
    assert drawn == [alef, arrow, bet]
    assert joined_left_to_right("ant", "bee", by=" → ") == "ant → bee"


def test_dollars_and_underlines_begin_no_formula() -> None:
    assert len(glyphs(r"$x_1$\alpha$")) == len(r"$x_1$\alpha$")


def test_labels_in_latin_letters_open_no_other_font(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> Iterator[fonts.Face]:
        raise AssertionError

    monkeypatch.setattr(fonts, "_faces", never)
    assert Lettering.of(["class 1", "Čeština", "ελιά", "…"]).families == (fonts.BASE,)


def test_a_report_draws_all_scripts_at_once() -> None:
    drawn = picture(report([text for text, _ in SCRIPTS.values()]), "svg").decode()
    for text, font in SCRIPTS.values():
        assert f'"{font}-' in drawn
        assert f"<!-- {text} -->" in drawn
    assert "LastResort" not in drawn
    assert "No font here" not in drawn


def test_a_report_gives_number_and_code_points_for_a_label_that_no_font_has() -> None:
    drawn = picture(report(["ant", f"x {NOWHERE} y", "bee"]), "svg").decode()
    assert "<!-- class 2: x U+12000 U+1200… -->" in drawn
    assert "No font here has all characters of 1 label" in drawn
    assert "report.html" in drawn
    assert "LastResort" not in drawn


@pytest.mark.usefixtures("no_other_fonts")
def test_a_report_without_fonts_says_what_the_page_shows_instead() -> None:
    labels = [text for text, _ in SCRIPTS.values()]
    drawn = picture(report(labels), "svg").decode()
    assert "<!-- class 2: U+732B U+548C U+… -->" in drawn
    assert "No font here has all characters of 8 labels" in drawn
    assert "<!-- قطة -->" in drawn
    assert "LastResort" not in drawn
    assert picture(report(labels), "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["猫和狗", "قطة", "$x$", "a\nb\x07", NOWHERE, "\udce9t\udce9"])
def test_plots_of_an_evaluation_take_any_folder_name(tmp_path: Path, name: str) -> None:
    about = f"{name}, 3 classes; backbone lite"
    bins = Calibration.of(torch.tensor([0.5]), torch.tensor([True]), BINS)
    for figure in (
        accuracy_plot({("auto", 1): Estimate(0.9, 0.1)}, about, 2),
        reliability_diagram(bins, 0.1, "auto, 1 shot", about),
    ):
        figure.savefig(tmp_path / "plot.svg")
        drawn = (tmp_path / "plot.svg").read_text()
        assert "LastResort" not in drawn
        assert ("U+12000 U+12001" in drawn) == (name == NOWHERE)
        assert ("U+DCE9t" in drawn) == ("\udce9" in name)


def test_a_line_that_begins_with_arabic_still_runs_from_left_to_right() -> None:
    (line,) = wrapped("قطة, 3 classes", 100)
    assert glyphs(line)[-7:] == glyphs("classes")


def test_threads_draw_at_the_same_time() -> None:
    texts = [text for text, _ in SCRIPTS.values()]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(glyphs, 3 * texts)) == 3 * [glyphs(text) for text in texts]


@given(
    st.lists(
        st.sampled_from(["a", "猫", "é", "e\u0301", "👨‍👩‍👧", "🇩🇪", "ق", "क्ष", " ", "\x1b[31m"])
    ),
    st.integers(3, 12),
)
@settings(max_examples=100)
def test_a_long_label_is_cut_between_characters_that_readers_see(
    parts: list[str], cells: int
) -> None:
    text = "".join(parts)
    short = shortened(text, cells)
    if short != text:
        assert short.endswith("…")
        kept = graphemes(short[:-1])
        assert kept == graphemes(text)[: len(kept)]
    assert wcwidth.width(short, control_codes="ignore") <= cells
