"""``python -m napari_pffnet.worker``: answers requests until its input ends."""

from napari_pffnet.worker.loop import main

if __name__ == "__main__":
    main()
