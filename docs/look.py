"""Draw what a model does best and worst on ``val/``, and what goes wrong there.

    python docs/look.py [--model nuclei] [--data ../shared/data] [--results runs/look]

writes the pictures of the bundled model into ``docs/images/val`` and the part
between the marks of ``docs/models/nuclei_errors.md``.  It stands in ``docs`` and not
in ``recipes`` since pages are all that it makes: it chooses and changes no model.
Segmenting takes minutes; its results stay in ``--results``, and what is there of the
same weights and settings is not computed again.

With ``--out DIR`` the pictures and a page ``errors.md`` are written there.  So it
must be for images that may not be passed on, whose licence the table below knows:

    python docs/look.py --sets monuseg_kumar30 --out /tmp/look
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from look_pictures import Caption, draw_histogram, draw_looked
from look_results import look_at_set

import napari_pffnet as pff
from napari_pffnet import evaluation as ev
from napari_pffnet.evaluation.errors import TRUE_KINDS
from napari_pffnet.plots import plot_reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from look_results import Looked
    from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "images" / "val"
PAGE = ROOT / "docs" / "models" / "nuclei_errors.md"
BEGIN = "<!-- Written by docs/look.py from here on. -->"
END = "<!-- Written by docs/look.py up to here. -->"
WORST = ("worst", "second worst", "third worst", "fourth worst", "fifth worst")
TITLES = {
    "best": "the best",
    "median": "the median",
    **{f"worst{n}": f"the {word}" for n, word in enumerate(WORST, 1)},
}
"""Names of the files, and what they say."""
SIZES = (0.5, 1.0, 1.5)
"""Limits of the classes of size, in median diameters of the set."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the images of a set come from, and whether they may be passed on."""

    title: str
    citation: str
    link: str
    licence: str
    may_be_shipped: bool = True


SOURCES = {
    "bbbc039": Source(
        "BBBC039v1, Broad Bioimage Benchmark Collection",
        "Caicedo et al. 2019, Cytometry A; Ljosa et al. 2012",
        "https://doi.org/10.1002/cyto.a.23863",
        "CC0 1.0",
    ),
    "dsb2018": Source(
        "BBBC038v1, 2018 Data Science Bowl, stage 1, community-fixed",
        "Caicedo et al. 2019, Nature Methods",
        "https://doi.org/10.1038/s41592-019-0612-7",
        "CC0 1.0",
    ),
    "monuseg_kumar30": Source(
        "Kumar 2017, H&E nuclei",
        "Kumar et al. 2017, IEEE Transactions on Medical Imaging",
        "https://doi.org/10.1109/TMI.2017.2677499",
        "CC BY-NC-SA 4.0: do not pass on",
        may_be_shipped=False,
    ),
}


def check_place(sets: Sequence[str], pictures: Path) -> None:
    """Refuse to put pictures into the checkout that may not be passed on.

    Raises
    ------
    ValueError
        If one of the sets forbids it; the sentence names the remedy.
    """
    kept = [name for name in sets if not SOURCES[name].may_be_shipped]
    if kept and pictures.resolve().is_relative_to(ROOT.resolve()):
        raise ValueError(
            f"The licence of {kept[0]} ({SOURCES[kept[0]].licence}) keeps its pictures "
            f"out of this repository, and {pictures} is inside; "
            "give --out a folder elsewhere, with --sets that one alone."
        )


def chosen(images: Sequence[Looked]) -> dict[str, Looked]:
    """Return the best, the median and the worst images, by names of files.

    The best and the median one are chosen from the images with objects.
    """
    order = sorted(images, key=lambda image: (-image.mean, image.name))
    full = [image for image in order if len(image.kinds.true_ids)]
    picked = {"best": full[0], "median": full[len(full) // 2]} if full else {}
    names = {image.name for image in picked.values()}
    worst = [image for image in reversed(order) if image.name not in names]
    return picked | {f"worst{n}": i for n, i in enumerate(worst[: len(WORST)], 1)}


def by_size(images: Sequence[Looked]) -> dict[str, NDArray[np.str_]]:
    """Return the kinds of all true objects, and by size beside the median one."""
    kinds = np.concatenate([image.kinds.true_kinds for image in images])
    diameters = np.concatenate([image.true_diameters for image in images])
    if not len(kinds):
        return {"all": kinds}
    low, middle, high = (np.median(diameters) * np.array(SIZES)).round().tolist()
    words = (
        f"under {low:.0f} px",
        f"{low:.0f} to {middle:.0f} px",
        f"{middle:.0f} to {high:.0f} px",
        f"over {high:.0f} px",
    )
    place = np.searchsorted([low, middle, high], diameters)
    return {"all": kinds} | {w: kinds[place == n] for n, w in enumerate(words)}


def draw_reliability(images: Sequence[Looked], path: Path) -> str:
    """Draw how far quality and classification score tell the true IoU; say it, too."""
    ious = np.concatenate([ev.true_iou(i.truth, i.found) for i in images])
    qualities = np.concatenate([image.qualities for image in images])
    scores = np.concatenate([image.scores for image in images])
    quality, score = ev.reliability(qualities, ious), ev.reliability(scores, ious)
    exact = ev.reliability(qualities, ev.exact_quality(ious)).calibration_error
    plot_reliability({"quality": quality, "classification score": score}, path)
    return (
        f"Calibration error of the quality {quality.calibration_error:.3f} "
        f"({exact:.3f} against the mean of Dice and IoU that it stands for), of the "
        f"classification score {score.calibration_error:.3f}."
    )


def draw_set(name: str, images: Sequence[Looked], pictures: Path) -> list[str]:
    """Draw all pictures of a set and return its part of the page, by lines."""
    source = SOURCES[name]
    origin = f"{source.title}; {source.citation}; {source.link}; {source.licence}"
    shown = chosen(images)
    for key, image in shown.items():
        score = f"AJI {image.aji:.3f}, PQ {image.pq:.3f}"
        head = f"{name}, {TITLES[key]} of {len(images)} images: {score}"
        draw_looked(image, Caption(head, origin), pictures / f"{name}_{key}.png")
    n_false = sum(image.kinds.counts.false for image in images)
    draw_histogram(by_size(images), n_false, pictures / f"{name}_errors.png")
    honesty = draw_reliability(images, pictures / f"{name}_reliability.png")
    return [
        f"### {name}",
        f"{source.title} ([{source.citation}]({source.link})), {source.licence}; "
        f"{len(images)} images, mean AJI {np.mean([i.aji for i in images]):.3f}, "
        f"mean PQ {np.mean([i.pq for i in images]):.3f}.",
        *_table(images),
        f"![What became of the objects, by their size]({{folder}}/{name}_errors.png)",
        f"![Predicted against true quality]({{folder}}/{name}_reliability.png)",
        honesty,
        *(
            f"![{TITLES[key].capitalize()} image: AJI {image.aji:.2f}, "
            f"PQ {image.pq:.2f}; truth left, prediction right]"
            f"({{folder}}/{name}_{key}.png)"
            for key, image in shown.items()
        ),
    ]


def _table(images: Sequence[Looked]) -> list[str]:
    counts = ev.ErrorCounts.total(image.kinds.counts for image in images)
    heads = [*TRUE_KINDS, "all true", "false"]
    values = [*(getattr(counts, k) for k in TRUE_KINDS), counts.n_true, counts.false]
    rows = (heads, ["---"] * len(heads), map(str, values))
    return ["\n".join("| " + " | ".join(row) + " |" for row in rows)]


def write_page(parts: Sequence[str], page: Path, pictures: Path) -> None:
    """Write the parts between the marks of the page, which is made if it is not there.

    Raises
    ------
    ValueError
        If a page is there without the marks.
    """
    old = page.read_text("utf-8") if page.exists() else f"{BEGIN}\n{END}\n"
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} lacks the line {BEGIN!r} or {END!r}; add them.")
    folder = os.path.relpath(pictures, page.parent).replace(os.sep, "/")
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    text = "\n\n".join([BEGIN, *(p.replace("{folder}", folder) for p in parts), END])
    page.write_text(before + text + after, "utf-8")


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    free = [name for name, source in SOURCES.items() if source.may_be_shipped]
    parser.add_argument("--model", default="nuclei", help="name or checkpoint")
    beside = ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--sets", nargs="+", choices=SOURCES, default=free)
    parser.add_argument("--results", type=Path, default=ROOT / "runs" / "look")
    parser.add_argument("--out", type=Path, help="pictures and page; default: docs")
    parser.add_argument("--limit", type=int, default=0, help="images a set; 0: all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    pictures = options.out or PICTURES
    check_place(options.sets, pictures)
    if options.threads:
        torch.set_num_threads(options.threads)
    model = pff.load_model(options.model, device=options.device)
    parts = []
    for name in options.sets:
        folder = options.data / name / "val"
        images = look_at_set(folder, model, options.results / name, options.limit)
        parts += draw_set(name, images, pictures)
        print("\n".join(_table(images)))
    page = options.out / "errors.md" if options.out else PAGE
    write_page(parts, page, pictures)
    print(page)


if __name__ == "__main__":
    main()
