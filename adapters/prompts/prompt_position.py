"""The position of the learned prompts in a tokenised text."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from adapters.backbone_errors import PromptError
from adapters.backbones.dual_encoder import Tokenizer
from adapters.prompts.config import CommaConfig


@dataclass(frozen=True, slots=True)
class PromptPosition:
    """The position of prompts: the tokens of a template that learned prompts take the place of.

    Attributes:
        start: Position of the first one: 1 where texts begin with a start token, else 0.
        tokens: (n,) int64, the same in the text of every class.
    """

    start: int
    tokens: Tensor

    def check(self, tokens: Tensor, template: str) -> None:
        """See that texts are written with the template, or words would be lost.

        Args:
            tokens: (N, context length) of the texts.
            template: To be named.

        Raises:
            PromptError: One is not.
        """
        found = tokens[:, self.start : self.start + len(self.tokens)]
        if not bool((found == self.tokens.to(tokens.device)).all()):
            raise PromptError(
                f"learned prompts stand for the first words of {template!r}; write texts with it"
            )


def prompt_position(tokenizer: Tokenizer, config: CommaConfig) -> PromptPosition:
    """Find the position of the prompts by writing two names into the template.

    Raises:
        PromptError: The template has too few tokens before the name.
    """
    one, other = "dog", "sky"
    start = _first_difference(tokenizer([one, other]))
    # Learned tokens must be those of whole words: a name that follows one without a space would
    # change it.
    before_name = config.template.partition("{}")[0]
    words = before_name[: len(before_name) - len(before_name.split(" ")[-1])]
    texts = tokenizer([words + one, words + other])
    before = _first_difference(texts) - start
    if before < config.length:
        raise PromptError(
            f"{config.length} prompts take the place of as many words at the beginning of the "
            f"template, and {config.template!r} has {before} before the class name; write it "
            "longer, as 'a photo of a {}.', with a space before the name, or ask for fewer prompts"
        )
    return PromptPosition(start, texts[0, start : start + config.length].clone())


def _first_difference(texts: Tensor) -> int:
    return int((texts[0] != texts[1]).nonzero()[0])
