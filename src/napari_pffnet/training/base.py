"""Where the first weights of a run come from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_pffnet.build import build_network

if TYPE_CHECKING:
    from napari_pffnet.config import Recipe
    from napari_pffnet.weights import Model

logger = logging.getLogger("napari_pffnet")


def effective_recipe(recipe: Recipe, base: Model | None) -> Recipe:
    """Return the recipe that fine-tunes ``base``.

    The shape of the network and the normalisation are the base's; the classes
    are the recipe's where it names some.
    """
    if base is None:
        return recipe
    model = base.info.model
    if "classes" in recipe.model.model_fields_set:
        model = model.model_copy(update={"classes": recipe.model.classes})
    return recipe.model_copy(
        update={"model": model, "normalization": base.info.normalization}
    )


def first_network(recipe: Recipe, base: Model | None, *, resumed: bool) -> nn.Module:
    """Return the network of a run in training mode, on the CPU.

    Parameters
    ----------
    recipe
        Model and seed.
    base
        Weights to start from, where their shapes agree.
    resumed
        Whether saved weights will be put into it anyway.
    """
    torch.manual_seed(recipe.train.seed)
    is_new = base is None and not resumed
    network = build_network(recipe.model, initialise=is_new).train()
    if base is not None and not resumed:
        _take_weights(network, base.network)
    return network


def _take_weights(network: nn.Module, base: nn.Module) -> None:
    """Copy the weights whose name and shape agree, and say which do not."""
    own, given = network.state_dict(), base.state_dict()
    fitting = {
        name: tensor
        for name, tensor in given.items()
        if name in own and own[name].shape == tensor.shape
    }
    network.load_state_dict(fitting, strict=False)
    new = [name for name in own if name not in fitting]
    if new:
        logger.info("Starts from new weights, as shapes differ: %s", ", ".join(new))
