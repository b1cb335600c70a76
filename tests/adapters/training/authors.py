"""What the authors' own code is set to, and where; and what our published recipes are set to.

Commits: akres001/CLIP_fewshot_imo 9e7de23, hulianyuyy/COMMA 3584f31 (with KaiyangZhou/
Dassl.pytorch c61a1b5), changdaeoh/multimodal-mixup f8e05fc.
"""

from __future__ import annotations

from typing import Any

from adapters.training.methods.comma import PRESETS as COMMA
from adapters.training.methods.imo import RECIPES, ImoConfig, ImoMethod
from adapters.training.methods.imo.objectives import dino_published, supervised_published
from adapters.training.methods.imo.objectives.dino_published import PublishedDino
from adapters.training.methods.mixup import PRESETS as MIXUP
from adapters.training.methods.mixup import PUBLISHED_WEIGHTS, MixupConfig

Setting = tuple[object, str]
"""A value, and the file and line of the authors' code that says so."""

AUTHORS: dict[str, dict[str, Setting]] = {
    "supervised-published": {
        "scale": (0.03, "supervised_train.py:45"),
        "width": (64, "supervised_train.py:75"),
        "places": (None, "clip/model.py:339"),
        "dropout": (0.1, "clip/model.py:216"),
        "optimiser": ("adamw", "supervised_train.py:119"),
        "learning rate": (8e-3, "supervised_train.py:42"),
        "schedule": ("constant", "supervised_train.py:119"),
        "weight decay": (0.01, "supervised_train.py:119"),
        "decays": ("all", "supervised_train.py:119"),
        "epochs": (1, "supervised_train.py:40"),
        "batch": (128, "supervised_train.py:44"),
        "seed": (0, "supervised_train.py:41"),
    },
    "dino-published": {
        "scale": (0.1, "dino_clip_training.py:211"),
        "width": (64, "dino_clip_training.py:212"),
        "places": (None, "clip/model.py:339"),
        "optimiser": ("adamw", "dino_clip_training.py:365"),
        "learning rate of 120 images": (8e-4 * 120 / 256, "README.md:51"),
        "schedule": ("floor", "dinov1/utils.py:192"),
        "lowest rate": (2e-6, "dino_clip_training.py:157"),
        "warm-up": (2 / 10, "README.md:52"),
        "weight decay": (0.04, "dino_clip_training.py:147"),
        "last weight decay": (0.4, "dino_clip_training.py:149"),
        "decays": ("matrices", "dinov1/utils.py:793"),
        "epochs": (10, "README.md:50"),
        "batch": (120, "README.md:50"),
        "seed": (1, "dino_clip_training.py:130"),
        "large crops": ((0.25, 1.0), "dino_clip_training.py:161"),
        "small crops": ((0.05, 0.25), "dino_clip_training.py:168"),
        "number of small crops": (10, "dino_clip_training.py:165"),
        "normalised": (
            ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            "dinov1/utils.py:750",
        ),
        "clip": (0.3, "dino_clip_training.py:131"),
        "clips each": (True, "dinov1/utils.py:137"),
        "teacher temperatures": ((0.04, 0.055, 0.07), "dinov1/utils.py:649"),
        "momentum": (0.9998, "README.md:50"),
        "outputs": (65536, "dino_clip_training.py:120"),
    },
    "published": {
        "prompts": (2, "vit_b16_c2_ep5_batch4_2ctx.yaml:33"),
        "depth": (9, "vit_b16_c2_ep5_batch4_2ctx.yaml:36"),
        "begin with": ("a photo of a {}.", "vit_b16_c2_ep5_batch4_2ctx.yaml:34"),
        "weight": (1.0, "train.py:118"),
        "last layers": (1, "train.py:119"),
        "generators": ("fixed", "trainers/comma.py:251"),
        "padding counts": (True, "trainers/comma.py:287"),
        "optimiser": ("sgd", "vit_b16_c2_ep5_batch4_2ctx.yaml:16"),
        "learning rate": (0.0035, "vit_b16_c2_ep5_batch4_2ctx.yaml:17"),
        "schedule": ("epochs", "vit_b16_c2_ep5_batch4_2ctx.yaml:20"),
        "lowest rate": (1e-5, "vit_b16_c2_ep5_batch4_2ctx.yaml:22"),
        "weight decay": (5e-4, "dassl/config/defaults.py:153"),
        "decays": ("all", "dassl/optim/optimizer.py:84"),
        "epochs": (5, "vit_b16_c2_ep5_batch4_2ctx.yaml:18"),
        "batch": (4, "vit_b16_c2_ep5_batch4_2ctx.yaml:3"),
        "shots": (16, "base2new_train_comma.sh:14"),
        "seed": (1, "base2new_train_all.sh:7"),
    },
    "cross-dataset": {
        "depth": (3, "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:36"),
        "learning rate": (0.0026, "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:17"),
        "epochs": (2, "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:18"),
        "optimiser": ("sgd", "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:16"),
        "schedule": ("epochs", "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:20"),
        "lowest rate": (1e-5, "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:22"),
        "batch": (4, "vit_b16_c2_ep5_batch4_2ctx_cross_datasets.yaml:3"),
        "shots": (16, "xd_train_comma.sh:13"),
        "generators": ("fixed", "trainers/comma.py:253"),
    },
    "m²-Mix": {
        "weight": (0.01, "main.py:27"),
        "shape": (0.5, "m2mix.sh:11"),
        "temperature": (0.01, "main.py:119"),
        "temperature of m²-Mix": (0.07, "main.py:34"),
        "fades": (True, "main.py:214"),
        "augmented": (False, "clip/clip.py:77"),
        "holds out": (False, "main.py:458"),
        "optimiser": ("adamw", "main.py:476"),
        "decays": ("all", "main.py:476"),
        "weight decay": (0.2, "main.py:6"),
        "schedule": ("cosine", "utils.py:19"),
        "warm-up": (0.1, "main.py:13"),
        "epochs": (9, "m2mix.sh:21"),
        "batch": (128, "main.py:7"),
        "seed": (1, "main.py:19"),
    },
    "m³-Mix": {
        "weights": ({"m2": 0.01, "v": 0.05, "l": 0.05, "vl": 0.1}, "m3mix.sh:12"),
        "shape of m²-Mix": (0.2, "m3mix.sh:10"),
        "shape": (0.5, "m3mix.sh:7"),
        "fades": (True, "m3mix.sh:4"),
    },
}


def _imo(name: str) -> dict[str, Any]:
    method = ImoMethod(ImoConfig(objective=name))
    loop = method.loop_settings(0, 1)
    return {
        "scale": method.adapter.scale,
        "width": method.adapter.width,
        "places": method.adapter.places,
        "optimiser": loop.optimiser,
        "schedule": loop.schedule,
        "weight decay": loop.weight_decay,
        "decays": loop.decays,
        "epochs": loop.epochs,
        "batch": loop.batch,
        "seed": loop.seed,
    }


def _comma(name: str) -> dict[str, Any]:
    preset = COMMA[name]
    loop, prompts, terms = preset.loop, preset.prompts, preset.terms
    return {
        "prompts": prompts.length,
        "depth": prompts.depth,
        "begin with": prompts.template,
        "weight": prompts.weight,
        "last layers": prompts.last_layers,
        "generators": terms.generators,
        "padding counts": terms.anchor is not None,
        "optimiser": loop.optimiser,
        "learning rate": loop.learning_rate,
        "schedule": loop.schedule,
        "lowest rate": loop.lowest_rate,
        "weight decay": loop.weight_decay,
        "decays": loop.decays,
        "epochs": loop.epochs,
        "batch": loop.batch,
        "shots": preset.shots,
        "seed": loop.seed,
    }


def _mixup() -> dict[str, Any]:
    preset = MIXUP["published"]
    config, loop = preset.config({"m2": PUBLISHED_WEIGHTS["m2"]}), preset.loop
    return {
        "weight": config.weights["m2"],
        "shape": config.m2_shape,
        "temperature": config.temperature,
        "temperature of m²-Mix": config.m2_temperature,
        "fades": config.fading,
        "augmented": preset.augmented,
        "holds out": preset.holds_out,
        "optimiser": loop.optimiser,
        "decays": loop.decays,
        "weight decay": loop.weight_decay,
        "schedule": loop.schedule,
        "warm-up": loop.warmup,
        "epochs": loop.epochs,
        "batch": loop.batch,
        "seed": loop.seed,
    }


def published() -> dict[str, dict[str, Any]]:
    """What our recipes are set to, under the names of `AUTHORS`."""
    supervised, dino = _imo("supervised-published"), _imo("dino-published")
    supervised["dropout"] = supervised_published.DROPOUT
    supervised["learning rate"] = RECIPES["supervised-published"].peak(128)
    recipe, crops = RECIPES["dino-published"], dino_published.CROPS
    dino |= {
        "learning rate of 120 images": recipe.peak(120),
        "lowest rate": recipe.lowest_rate,
        "warm-up": recipe.warmup,
        "last weight decay": recipe.last_decay,
        "large crops": crops.large,
        "small crops": crops.small,
        "number of small crops": crops.number,
        "normalised": crops.normalised,
        "clip": PublishedDino.clip,
        "clips each": PublishedDino.clip_each,
        "teacher temperatures": dino_published.TEACHER_TEMPERATURES,
        "momentum": dino_published.MOMENTUM,
        "outputs": dino_published.OUTPUTS,
    }
    m3 = MixupConfig.published(PUBLISHED_WEIGHTS)
    cross = _comma("cross-dataset")
    return {
        "supervised-published": supervised,
        "dino-published": dino,
        "published": _comma("published"),
        "cross-dataset": {name: cross[name] for name in AUTHORS["cross-dataset"]},
        "m²-Mix": _mixup(),
        "m³-Mix": {
            "weights": m3.weights,
            "shape of m²-Mix": m3.m2_shape,
            "shape": m3.shape,
            "fades": m3.fading,
        },
    }
