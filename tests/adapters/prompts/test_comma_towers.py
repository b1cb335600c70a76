"""Towers run with prompts: nothing changes without them, and they arrive where they belong."""

from __future__ import annotations

from typing import Any

import open_clip
import pytest
import torch
from open_clip import CustomTextCLIP
from torch import Tensor

from adapters.prompts import CommaConfig, PromptError
from adapters.prompts.prompt_position import prompt_position
from adapters.prompts.towers import check_depth, towers
from tests.small_clip import small_clip

TOKENIZER = open_clip.get_tokenizer("ViT-B-32")
TEXTS = ["a photo of a cat.", "a photo of a very long-winded name.", "a photo of an owl."]
CLIPA = {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True}
POOLER = {"attentional_pool": True, "attn_pooler_queries": 5, "attn_pooler_heads": 4}
EVERYWHERE = {"pool_type": "last", "no_causal_mask": True}
CASES: dict[str, Any] = {
    "as OpenAI's": {},
    "quick gelu": {"quick_gelu": True},
    "mean of the patches": {"vision": {"pool_type": "avg"}},
    "as CLIPA": {"vision": CLIPA, "text": EVERYWHERE},
    "end token by its number": {"text": {"pool_type": "eos", "eos_id": 49407}},
    "text tower of its own": {"kind": CustomTextCLIP, "text": {"proj_bias": True}},
    "attention pooling": {"kind": CustomTextCLIP, "vision": POOLER, "text": EVERYWHERE},
    "layer scale": {"vision": {"ls_init_value": 0.1}, "text": {"pool_type": "first"}},
    "other blocks": {"vision": {"qk_norm": True}, "text": {"qk_norm": True}},
}


def batch_second(model: Any) -> None:
    """Let the blocks take (tokens, rows, width), as open_clip did until 2.24."""
    for transformer in (model.visual.transformer, towers(model)[1].transformer):
        transformer.batch_first = False
        for block in transformer.resblocks:
            block.attn.batch_first = False


@pytest.mark.parametrize("case", CASES)
def test_without_prompts_a_pass_is_the_models_own(case: str) -> None:
    model = small_clip(**CASES[case])
    pixels, tokens = torch.randn(2, 3, 32, 32), TOKENIZER(TEXTS)
    images, texts = model.encode_image(pixels), model.encode_text(tokens)
    vision, text = towers(model)
    torch.testing.assert_close(vision(pixels), images)
    torch.testing.assert_close(text(tokens)[0], texts)
    if case != "other blocks":  # which cannot be had batch-second
        batch_second(model)
        torch.testing.assert_close(vision(pixels), images)
        torch.testing.assert_close(text(tokens)[0], texts)


@pytest.mark.parametrize("second", [False, True], ids=["batch first", "batch second"])
@pytest.mark.parametrize("case", ["as OpenAI's", "as CLIPA", "attention pooling"])
def test_prompts_replace_tokens_layer_by_layer(case: str, second: bool) -> None:
    """Against the model's own pass, into which hooks write the same prompts."""
    model = small_clip(**CASES[case])
    if second:
        batch_second(model)
    pixels, tokens = torch.randn(2, 3, 32, 32), TOKENIZER(TEXTS)
    vision, text = towers(model)
    text_prompts, vision_prompts = torch.randn(2, 2, 48), torch.randn(2, 3, 64)
    handles = []

    def rows_first(x: Tensor) -> Tensor:
        return x.transpose(0, 1) if second else x

    def hook(tower: Any, prompts: Tensor, where: slice | None, norm: Any) -> None:
        for number, block in enumerate(tower.resblocks[: len(prompts)]):

            def write(_: Any, args: Any, number: int = number) -> Any:
                x = rows_first(args[0]).clone()
                if where is not None:
                    new = prompts[number] + (text.positional_embedding[where] if not number else 0)
                    x[:, where] = new
                else:
                    new = norm(prompts[number]) if not number else prompts[number]
                    x = torch.cat([x[:, :17], new.expand(len(x), -1, -1)], dim=1)
                return (rows_first(x), *args[1:])

            handles.append(block.register_forward_pre_hook(write))

    hook(text.transformer, text_prompts, slice(1, 3), None)
    hook(model.visual.transformer, vision_prompts, None, model.visual.ln_pre)
    # The model's own pooling must not see the prompts.
    cut = model.visual.transformer.register_forward_hook(lambda _m, _a, x: x[:, :17])
    images, texts = model.encode_image(pixels), model.encode_text(tokens)
    for handle in (*handles, cut):
        handle.remove()
    found = text(tokens, text_prompts.unbind(), start=1)[0]
    torch.testing.assert_close(vision(pixels, vision_prompts.unbind()), images)
    torch.testing.assert_close(found, texts)
    assert not torch.allclose(found, text(tokens)[0], atol=1e-3)


def test_words_as_prompts_of_the_first_layer_are_those_words() -> None:
    _, text = towers(small_clip())
    place = prompt_position(TOKENIZER, CommaConfig(length=4))
    tokens = TOKENIZER(TEXTS[:2])
    words = text.token_embedding(place.tokens)
    torch.testing.assert_close(text(tokens, [words], place.start)[0], text(tokens)[0])


def test_outputs_of_the_last_layers_are_theirs() -> None:
    model = small_clip()
    _, text = towers(model)
    expected: list[Tensor] = []
    for block in model.transformer.resblocks:
        block.register_forward_hook(lambda _m, _a, x: expected.append(x))
    tokens = TOKENIZER(TEXTS)
    model.encode_text(tokens)
    last = text(tokens, last=2)[1]
    length = int(tokens.argmax(dim=1).max()) + 1
    assert last.shape == (2, 3, length, 48)
    torch.testing.assert_close(last, torch.stack(expected[1:3])[:, :, :length])


def test_the_place_of_prompts_depends_on_the_tokenizer() -> None:
    config = CommaConfig(length=2)
    place = prompt_position(TOKENIZER, config)
    assert place.start == 1
    assert torch.equal(place.tokens, TOKENIZER(["a photo"])[0, 1:3])
    bare = prompt_position(lambda texts: TOKENIZER(texts)[:, 1:], config)
    assert bare.start == 0
    assert torch.equal(bare.tokens, place.tokens)


@pytest.mark.parametrize(("template", "has"), [("{}", 0), ("of {} a photo", 1)])
def test_a_template_too_short_for_the_prompts_is_refused(template: str, has: int) -> None:
    with pytest.raises(PromptError, match=f"has {has} before the class name; write it longer"):
        prompt_position(TOKENIZER, CommaConfig(template=template))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (lambda: torch.nn.Linear(1, 1), "this model is a Linear"),
        (lambda: open_clip.create_model("RN50"), "image tower of this one is a ModifiedResNet"),
        (
            lambda: small_clip(kind=CustomTextCLIP, text={"embed_cls": True}),
            "a class token of its own",
        ),
        (
            lambda: small_clip({"timm_model_name": "vit_tiny_patch16_224", "image_size": 224}),
            "image tower of this one is a VisionTransformer of timm",
        ),
    ],
)
def test_other_towers_are_refused_with_what_is_supported(model: Any, named: str) -> None:
    with pytest.raises(PromptError, match=named) as refused:
        towers(model())
    assert "ViT-B-16/openai" in str(refused.value)


def test_a_text_tower_of_transformers_is_refused() -> None:
    model = small_clip(kind=CustomTextCLIP)
    model.text = torch.nn.Embedding(1, 1)
    with pytest.raises(PromptError, match="text tower of this one is a Embedding"):
        towers(model)


def test_more_prompted_layers_than_there_are_are_refused() -> None:
    vision, text = towers(small_clip(text={"layers": 2}))
    with pytest.raises(PromptError, match="image tower has 3, the text tower 2; give a depth of 2"):
        check_depth(CommaConfig(depth=3), vision, text)
    with pytest.raises(PromptError, match="compared in 5 layers, and the text tower has 2"):
        check_depth(CommaConfig(depth=1, last_layers=5), vision, text)


@pytest.mark.parametrize("template", ["car{}", "a car{} there", "a photo-{}"])
def test_a_name_that_would_change_a_learned_word_is_refused(template: str) -> None:
    # "car" + "pet" is one word, "carpet", to the tokenizer.
    words = len(template.partition("{}")[0].split())
    with pytest.raises(PromptError, match="a space before the name"):
        prompt_position(open_clip.SimpleTokenizer(), CommaConfig(length=words, template=template))


@pytest.mark.parametrize("template", ["a photo of " + 500 * "a" + "{}", 6 * "a {} ", "a \ud800 {}"])
def test_a_template_that_costs_more_than_its_size_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"at most 500|surrogates"):
        CommaConfig(template=template)
