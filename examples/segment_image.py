"""Segment an image, look at the worst objects, compare with the truth.

Run it with ``python examples/segment_image.py``; it needs no image of yours.
"""

import napari_pffnet as pff


def main() -> None:
    sample = pff.load_sample("histology")
    model = pff.load_model("nuclei")
    result = pff.segment(sample.image, model)

    objects = result.objects
    print(f"{len(objects)} nuclei, of {sample.labels.max()} outlined by hand")
    print("The three that the network trusts least:")
    print(objects.nsmallest(3, "confidence")[["label", "quality", "area"]])

    scores = pff.evaluate(sample.labels, result.labels)
    print(f"AJI {scores['aji']:.2f}, PQ {scores['pq']:.2f}, F1 {scores['f1']:.2f}")


if __name__ == "__main__":
    main()
