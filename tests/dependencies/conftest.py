from __future__ import annotations

from tests.system.kernel.conftest import notebook, own_notebook, shared_notebook

__all__ = ["notebook", "own_notebook", "shared_notebook"]
