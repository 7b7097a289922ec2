"""The child process of the window: runs what takes long, and knows no Qt.

Started as ``python -m napari_pffnet.worker``; see `napari_pffnet.messages` for what
it reads and writes.
"""
