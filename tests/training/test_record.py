"""What a checkpoint says of where it comes from."""

from napari_pffnet.config import CheckpointInfo, Recipe
from napari_pffnet.provenance import DataSource
from napari_pffnet.training.record import describe, summarize

NUCLEI = DataSource(name="nuclei", licence="CC0-1.0", images=10)
CELLS = DataSource(name="cells", licence="CC-BY-4.0", images=3)


def test_a_run_copies_the_origin_of_its_data_into_the_checkpoint(images, recipe):
    told = {"description": "Discs of any size.", "data": (CELLS,)}
    info = describe(recipe.model_copy(update=told), summarize(images), {}, None)
    assert (info.description, info.data) == ("Discs of any size.", (CELLS,))
    assert CheckpointInfo.model_validate_json(info.model_dump_json()) == info


def test_a_refined_model_names_the_data_of_its_base_but_not_its_scores(images):
    base = CheckpointInfo(
        model=Recipe().model,
        description="Nuclei.",
        data=(NUCLEI, CELLS),
        scores={"nuclei": {"aji": 0.9}},
    )
    more = CELLS.model_copy(update={"images": 4})
    info = describe(Recipe(data=(more,)), summarize(images), {}, base)
    assert info.data == (NUCLEI, more)
    assert info.description == ""
    assert info.scores == {}
