"""The scripts that train the released models."""

import runpy
from pathlib import Path

import torch

from napari_pffnet.config import Recipe
from napari_pffnet.training.base import effective_recipe, first_network
from napari_pffnet.weights import load_model

RECIPES = Path(__file__).parents[1] / "recipes"


def test_a_base_gives_the_weights_that_fit_and_the_recipe_the_shape(
    tiny_checkpoint, tiny_config
):
    script = runpy.run_path(str(RECIPES / "train.py"), run_name="recipe")
    model = tiny_config.model_copy(update={"box_hidden": 8, "classes": ("a", "b")})
    recipe = Recipe(model=model)
    base = script["load_base"](str(tiny_checkpoint), recipe)
    assert effective_recipe(recipe, base) == recipe
    made = first_network(recipe, base, resumed=False).state_dict()
    given = load_model(tiny_checkpoint, device="cpu").network.state_dict()
    name = "rpn.head.cls_logits.weight"
    assert torch.equal(made[name], given[name])
    shapes = {n: t.shape for n, t in made.items() if t.shape != given[n].shape}
    assert any(8 in shape for shape in shapes.values())
