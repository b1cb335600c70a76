"""Kept tokenizers give the tokens of the libraries that models are built with."""

from __future__ import annotations

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.backbones.lite.model import CONTEXT_LENGTH, tokenizer
from adapters.backbones.lite.pinned_files import TOKENIZER_FILES
from adapters.kept.tokens import _open_clip_tokenizers, tokenizer_of

LITE = tokenizer_of(
    {
        "kind": "wordpiece",
        "file": str(TOKENIZER_FILES[0].locate()),
        "context_length": CONTEXT_LENGTH,
        "padding": 0,
    }
)
CLIP = tokenizer_of({"kind": "clip", "context_length": 77, "clean": "lower", "end": 49407})
LITE_OF_TRANSFORMERS, CLIP_OF_OPEN_CLIP = tokenizer(), open_clip.get_tokenizer("ViT-B-32")

ODD = st.sampled_from(
    [
        *("", "  ", "İstanbul", "日本語 テスト", "a\u200bb", "&amp;amp;lt;", "naïve", "word " * 99),
        *("A\u0301", "<end_of_text>", "[SEP]", "don't", "ﬁ ½ ™", "\x00", "x" * 300),
    ]
)
ASCII = st.text(st.characters(max_codepoint=127), max_size=40)
TEXTS = st.lists(st.one_of(st.text(max_size=40), ASCII, ODD), min_size=1, max_size=9)


@given(TEXTS)
@settings(deadline=None, max_examples=150)
def test_tokens_of_lite_are_those_of_transformers(texts: list[str]) -> None:
    assert torch.equal(LITE(texts), LITE_OF_TRANSFORMERS(texts))


@given(TEXTS)
@settings(deadline=None, max_examples=150)
def test_tokens_of_clip_are_those_of_open_clip_up_to_the_last_end(
    texts: list[str],
) -> None:
    found, wanted = CLIP(texts), CLIP_OF_OPEN_CLIP(texts)
    length = found.shape[1]
    assert torch.equal(found, wanted[:, :length])
    assert (found == 49407).any(dim=1).all()  # all that a causal tower looks at


@pytest.mark.parametrize("kind", ["lower", "whitespace", "canonicalize"])
@given(text=st.one_of(ASCII, st.text(st.characters(max_codepoint=300), max_size=40), ODD))
@settings(deadline=None, max_examples=400)
def test_texts_are_cleaned_as_open_clip_cleans_them(kind: str, text: str) -> None:
    own = _open_clip_tokenizers()
    assert own is not open_clip.tokenizer  # whose cleaning stays as it is
    assert own.get_clean_fn(kind)(text) == open_clip.tokenizer.get_clean_fn(kind)(text)
