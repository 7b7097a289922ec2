"""Review of segmented objects: verdicts, repairs, and files that survive a crash.

The public names are those of ``__init__.pyi``; each loads what it needs when it is
first used, so that the window opens sooner.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
